//! Percent-escapes, and the cleaning of paths.

use std::borrow::Cow;

/// Undoes percent-escapes; `plus` says whether `+` is a space, as it is in forms.
///
/// # Errors
/// Go's words, which are etcd's `cause`.
pub fn unescape(text: &str, plus: bool) -> Result<Cow<'_, [u8]>, String> {
    let bytes = text.as_bytes();
    if !bytes.iter().any(|&byte| byte == b'%' || plus && byte == b'+') {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let digits = bytes
                    .get(at + 1..at + 3)
                    .and_then(|pair| Some((digit(pair[0])?, digit(pair[1])?)));
                let Some((high, low)) = digits else {
                    let end = bytes.len().min(at + 3);
                    let piece = String::from_utf8_lossy(&bytes[at..end]);
                    return Err(format!("invalid URL escape \"{piece}\""));
                };
                out.push(high << 4 | low);
                at += 3;
                continue;
            }
            b'+' if plus => out.push(b' '),
            byte => out.push(byte),
        }
        at += 1;
    }
    Ok(Cow::Owned(out))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// A request's path, unescaped and without empty, `.` and `..` components; a
/// trailing slash stays. etcd sends such clients elsewhere with a 301, which
/// makes many of them turn a PUT into a GET.
///
/// # Errors
/// The cause: a wrong escape, or bytes that are not UTF-8.
pub fn clean_path(raw: &str) -> Result<Cow<'_, str>, String> {
    let text = match unescape(raw, false)? {
        Cow::Borrowed(_) => Cow::Borrowed(raw),
        Cow::Owned(bytes) => String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| "invalid UTF-8 in the key".to_owned())?,
    };
    if is_clean(&text) {
        return Ok(text);
    }
    let mut names: Vec<&str> = Vec::new();
    for name in text.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    let slash = if text.ends_with('/') && !names.is_empty() { "/" } else { "" };
    Ok(Cow::Owned(format!("/{}{slash}", names.join("/"))))
}

fn is_clean(path: &str) -> bool {
    let Some(names) = path.strip_prefix('/') else { return false };
    let names = names.strip_suffix('/').unwrap_or(names);
    names.is_empty() && path.len() == 1
        || names.split('/').all(|name| !matches!(name, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_unescaped_and_cleaned() {
        for (raw, clean) in [
            ("/", "/"),
            ("", "/"),
            ("//", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/a//b", "/a/b"),
            ("/a/./b/../c/", "/a/c/"),
            ("/../..", "/"),
            ("/a%2Fb%20c+%3f", "/a/b c+?"),
            ("/..a..", "/..a.."),
            ("/%C3%A9", "/é"),
        ] {
            assert_eq!(clean_path(raw).unwrap(), clean, "{raw}");
        }
        assert_eq!(clean_path("/%zz").unwrap_err(), "invalid URL escape \"%zz\"");
        assert_eq!(clean_path("/a%4").unwrap_err(), "invalid URL escape \"%4\"");
        assert_eq!(clean_path("/%ff").unwrap_err(), "invalid UTF-8 in the key");
    }

    #[test]
    fn a_plus_is_a_space_only_in_forms() {
        assert_eq!(&*unescape("a+b%2B", true).unwrap(), b"a b+");
        assert_eq!(&*unescape("a+b", false).unwrap(), b"a+b");
    }
}
