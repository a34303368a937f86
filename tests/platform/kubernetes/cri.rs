//! Log files of container runtimes (CRI): `TIME STREAM TAG TEXT`, where the tag `P` marks a part of a line.

use std::fs::File;
use std::io::{BufRead, Write};
use std::path::Path;

use serde_json::Value;
use system_tests::records;
use system_tests::scratch;

/// The longest part of a line that containerd and CRI-O write (`max_container_log_line_size`).
const LONGEST: usize = 16_384;

/// Writes what a container writes, until it ends.
pub fn write(mut container: impl BufRead, mut file: File) {
    let mut line = vec![];
    loop {
        line.clear();
        match container.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let parts = text.chunks(LONGEST).collect::<Vec<_>>();
        for (n, part) in parts.iter().enumerate() {
            let tag = if n + 1 == parts.len() { "F" } else { "P" };
            let written = [format!("{} stderr {tag} ", jiff::Timestamp::now()).as_bytes(), part, b"\n"].concat();
            file.write_all(&written).expect("the test's own file can be written");
        }
    }
}

/// The records in a file: each is a line that no runtime has to split.
#[track_caller]
pub fn records(file: &Path) -> Vec<Value> {
    let text = |line: &str| {
        let mut parts = line.splitn(4, ' ');
        let (_time, stream, tag) = (parts.next(), parts.next(), parts.next());
        assert_eq!((stream, tag), (Some("stderr"), Some("F")), "{line}");
        format!("{}\n", parts.next().unwrap_or_default())
    };
    records::parse_all(&scratch::read(file).lines().map(text).collect::<String>())
}
