//! The URLs of listeners and members, as etcd takes them.

use std::fmt;

/// `http://host:port`, the only kind there is for now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    text: String,
}

impl Url {
    /// Reads one URL.
    ///
    /// # Errors
    /// One line that names what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some((scheme @ ("https" | "unix" | "unixs"), _)) => {
                return Err(format!("not supported yet: {scheme} URLs ({text})"));
            }
            _ => return Err(format!("URL scheme must be http, https, unix, or unixs: {text}")),
        };
        let address = rest.strip_suffix('/').unwrap_or(rest);
        if address.contains('/') {
            return Err(format!("URL must not contain a path: {text}"));
        }
        let form = || format!("URL address does not have the form \"host:port\": {text}");
        let (host, port) = address.rsplit_once(':').ok_or_else(form)?;
        let bracketed = host.starts_with('[') && host.ends_with(']') && host.len() > 2;
        let plain =
            !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c));
        if !(bracketed || plain) || port.parse::<u16>().is_err() {
            return Err(form());
        }
        Ok(Self { text: format!("http://{address}") })
    }

    /// Reads a list separated by commas; at least one.
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn parse_list(text: &str) -> Result<Vec<Self>, String> {
        text.split(',').map(Self::parse).collect()
    }

    /// The URL as text, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `host:port`, as sockets take it.
    pub fn address(&self) -> &str {
        &self.text["http://".len()..]
    }

    /// Whether it names every interface, and so no address at which others could
    /// reach anybody.
    pub fn is_unspecified(&self) -> bool {
        let host = self.address().rsplit_once(':').map_or("", |(host, _)| host);
        matches!(host, "0.0.0.0" | "[::]")
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The texts of several URLs.
pub fn texts(urls: &[Url]) -> Vec<String> {
    urls.iter().map(Url::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_takes_is_taken() {
        for (text, address) in [
            ("http://127.0.0.1:2379", "127.0.0.1:2379"),
            ("http://localhost:80/", "localhost:80"),
            ("http://[::1]:2379", "[::1]:2379"),
        ] {
            assert_eq!(Url::parse(text).unwrap().address(), address);
        }
        assert_eq!(Url::parse_list("http://a:1,http://b:2").unwrap().len(), 2);
    }

    #[test]
    fn everything_else_is_named() {
        for (text, complaint) in [
            ("foo", "URL scheme must be"),
            ("ftp://a:1", "URL scheme must be"),
            ("https://a:1", "not supported yet: https"),
            ("http://a", "host:port"),
            ("http://:1", "host:port"),
            ("http://a:99999", "host:port"),
            ("http://a:1/x", "must not contain a path"),
            ("", "URL scheme must be"),
        ] {
            let line = Url::parse(text).unwrap_err();
            assert!(line.contains(complaint), "{text}: {line}");
        }
    }
}
