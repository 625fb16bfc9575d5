//! Says when the water is high, on every path.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

const PAGE: &str = "pages/tides.html";

fn main() -> std::io::Result<()> {
    let page = fs::read_to_string(PAGE)?;
    let listener = TcpListener::bind("0.0.0.0:8080")?;
    println!("tides on port 8080");
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut request = [0; 1024];
        let _ = stream.read(&mut request)?;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close";
        write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{page}", page.len())?;
    }
    Ok(())
}
