//! Prints the table; used by people who look at the tides from a terminal.

fn main() {
    println!("high water at 06:12 and 18:40");
}
