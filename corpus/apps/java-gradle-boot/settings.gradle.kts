rootProject.name = "trains"
