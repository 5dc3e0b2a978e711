//! JSON as Go writes it: the same escapes, so that the same bytes come out.

use std::io;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::ser::{CharEscape, Formatter};

/// A value in compact JSON.
///
/// # Panics
/// Never: only maps with strange keys and failing writers can fail.
pub fn to_vec(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write(value, &mut out);
    out
}

/// Appends a string.
pub fn string(text: &str, out: &mut Vec<u8>) {
    if !is_plain(text.as_bytes()) {
        return write(text, out);
    }
    out.push(b'"');
    out.extend(text.as_bytes());
    out.push(b'"');
}

/// Appends a number.
pub fn number(number: u64, out: &mut Vec<u8>) {
    write(&number, out);
}

fn write(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    let mut serializer = serde_json::Serializer::with_formatter(out, Go);
    value.serialize(&mut serializer).expect("plain values into memory");
}

/// Whether there is certainly nothing to escape. It looks at all bytes, which for a
/// machine that compares many at once is quicker than to stop at the first.
fn is_plain(bytes: &[u8]) -> bool {
    let escaped = |byte: u8| {
        (byte < b' ')
            | matches!(byte, b'"' | b'\\')
            // 0xe2 begins the two separators, and much else.
            | matches!(byte, b'<' | b'>' | b'&' | 0xe2)
    };
    !bytes.iter().fold(false, |any, &byte| any | escaped(byte))
}

/// An instant: RFC 3339 in UTC, without zeros at the end of its fraction.
pub fn instant(at: SystemTime) -> String {
    let text = humantime::format_rfc3339_nanos(at).to_string();
    let text = text.trim_end_matches('Z').trim_end_matches('0');
    format!("{}Z", text.trim_end_matches('.'))
}

/// Escapes `<`, `>`, `&`, U+2028 and U+2029, and has no short form for backspace
/// and form feed.
struct Go;

impl Formatter for Go {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let bytes = fragment.as_bytes();
        // 0xe2 begins the two separators, and much else.
        if !bytes.iter().any(|byte| matches!(byte, b'<' | b'>' | b'&' | 0xe2)) {
            return writer.write_all(bytes);
        }
        let mut buffer = [0; 4];
        fragment.chars().try_for_each(|char| match char {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                write!(writer, "\\u{:04x}", u32::from(char))
            }
            _ => writer.write_all(char.encode_utf8(&mut buffer).as_bytes()),
        })
    }

    fn write_char_escape<W>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        match escape {
            CharEscape::Quote => writer.write_all(b"\\\""),
            CharEscape::ReverseSolidus => writer.write_all(b"\\\\"),
            CharEscape::Solidus => writer.write_all(b"/"),
            CharEscape::LineFeed => writer.write_all(b"\\n"),
            CharEscape::CarriageReturn => writer.write_all(b"\\r"),
            CharEscape::Tab => writer.write_all(b"\\t"),
            CharEscape::Backspace => writer.write_all(b"\\u0008"),
            CharEscape::FormFeed => writer.write_all(b"\\u000c"),
            CharEscape::AsciiControl(byte) => write!(writer, "\\u{byte:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn instants_have_no_zeros_at_their_end() {
        for (nanos, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (10_000_000_000, "1970-01-01T00:00:10Z"),
            (898_646_390, "1970-01-01T00:00:00.89864639Z"),
        ] {
            assert_eq!(instant(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn strings_are_escaped_as_go_does() {
        let text = "a<b>&\u{2028}\u{2029}é→\"\\\n\r\t\u{8}\u{c}\u{1}\u{7f}/";
        let expected = "\"a\\u003cb\\u003e\\u0026\\u2028\\u2029é→\\\"\\\\\\n\\r\\t\\u0008\\u000c\\u0001\u{7f}/\"";
        assert_eq!(String::from_utf8(to_vec(&text)).unwrap(), expected);
        let mut out = Vec::new();
        for text in text.chars().map(String::from).chain([text.to_owned()]) {
            string(&text, &mut out);
            assert_eq!(std::mem::take(&mut out), to_vec(&text), "{text:?}");
        }
    }
}
