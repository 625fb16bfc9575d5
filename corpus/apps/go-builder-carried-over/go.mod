module example.org/sundial

go 1.23
