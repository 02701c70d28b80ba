//! Text for a shell.

/// Without the comments, empty lines and indents: it travels, and is seen in lists of processes.
pub fn without_comments(script: &str) -> String {
    let is_code = |line: &&str| !line.is_empty() && !line.starts_with('#');
    script.lines().map(str::trim_start).filter(is_code).flat_map(|line| [line, "\n"]).collect()
}

/// One word, as sh reads it, and as mosh's script writes it.
pub fn quoted(word: &[u8]) -> Vec<u8> {
    let mut text = vec![b'\''];
    for &byte in word {
        match byte {
            b'\'' => text.extend(br"'\''"),
            _ => text.push(byte),
        }
    }
    text.push(b'\'');
    text
}
