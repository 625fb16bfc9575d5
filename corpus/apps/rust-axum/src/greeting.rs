pub fn text() -> &'static str {
    "the plants are watered"
}
