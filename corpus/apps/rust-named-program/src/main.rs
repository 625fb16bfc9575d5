//! Runs the program that TOOL names and shows what it says.

use std::env;
use std::process::Command;

fn main() {
    let tool = env::var("TOOL").unwrap_or_else(|_| String::from("uname"));
    let said = Command::new(&tool).output().expect("the tool starts");
    print!("{tool} says {}", String::from_utf8_lossy(&said.stdout));
}
