//! The command line: etcd's flags and environment variables.

mod bounds;
mod table;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use quorate_engine::Attributes;
use tracing::level_filters::LevelFilter;

use crate::identity::Identity;
use crate::urls::{Url, texts};
pub use bounds::{Bounds, MOST_WRITE_BYTES};
use table::{Kind, Row};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Print this and leave.
    Print(String),
    /// Serve.
    Serve(Box<Flags>),
}

/// Where a read is answered when it does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// By this node once a leader has confirmed that it is up to date.
    Linearizable,
    /// By this node as it stands, as etcd does.
    Local,
}

/// How the server is to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Flags {
    /// This member's name.
    pub name: String,
    /// Where its data lives.
    pub data_dir: PathBuf,
    /// Where clients are listened to.
    pub listen_client: Vec<Url>,
    /// Where clients are told to go.
    pub advertise_client: Vec<Url>,
    /// Where peers are listened to.
    pub listen_peer: Vec<Url>,
    /// The cluster at its beginning, and this member in it.
    pub identity: Identity,
    /// Whether the flags describe a cluster that runs already.
    pub existing: bool,
    /// Time between a leader's heartbeats; also one tick.
    pub heartbeat: Duration,
    /// Time without a leader before an election.
    pub election: Duration,
    /// Log entries between snapshots.
    pub snapshot_count: u64,
    /// The least important log lines that are still written.
    pub log_level: LevelFilter,
    /// Where reads are answered that do not say.
    pub read_consistency: Consistency,
    /// How much clients may ask for.
    pub bounds: Bounds,
    /// Lines about flags that were accepted and mean nothing.
    pub remarks: Vec<String>,
}

impl Flags {
    /// What this member publishes of itself.
    pub fn attributes(&self) -> Attributes {
        Attributes { name: self.name.clone(), client_urls: texts(&self.advertise_client) }
    }

    /// Reads arguments and environment; a flag wins over its variable.
    ///
    /// # Errors
    /// One line that names the flag and what is wrong with it.
    pub fn parse(
        arguments: impl IntoIterator<Item = OsString>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Command, String> {
        let mut remarks = Vec::new();
        let mut words = vec!["quorate".to_owned()];
        words.extend(from_environment(utf8_variables(environment)?, &mut remarks));
        for argument in arguments {
            let argument = argument.into_string();
            words.push(two_dashes(argument.map_err(|it| format!("{it:?} is not UTF-8"))?));
        }
        let matches = match table::command().try_get_matches_from(words) {
            Ok(matches) => matches,
            Err(error) if !error.use_stderr() => {
                return Ok(Command::Print(error.to_string().trim_end().to_owned()));
            }
            Err(error) => return Err(one_line(&error)),
        };
        Given::new(&matches, remarks)?.flags().map(Box::new).map(Command::Serve)
    }
}

/// Go's flags take one dash or two.
fn two_dashes(argument: String) -> String {
    let single = argument.starts_with('-') && !argument.starts_with("--") && argument.len() > 2;
    if single { format!("-{argument}") } else { argument }
}

/// The variables in UTF-8; others concern nobody here unless they are `ETCD_…`.
fn utf8_variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for (variable, value) in environment {
        match (variable.to_str(), value.to_str()) {
            (Some(variable), Some(value)) => variables.push((variable.into(), value.into())),
            _ if variable.as_encoded_bytes().starts_with(b"ETCD_") => {
                return Err(format!("environment variable {variable:?} is not UTF-8"));
            }
            _ => {}
        }
    }
    Ok(variables)
}

/// `ETCD_…` variables as flags, to be overridden by those that come behind.
fn from_environment(environment: Vec<(String, String)>, remarks: &mut Vec<String>) -> Vec<String> {
    let mut flags = Vec::new();
    for (variable, value) in environment {
        let Some(rest) = variable.strip_prefix("ETCD_").filter(|_| !value.is_empty()) else {
            continue;
        };
        let name = rest.to_lowercase().replace('_', "-");
        match table::find(&name) {
            Some(_) => flags.push(format!("--{name}={value}")),
            None => remarks.push(format!("unknown environment variable {variable} ignored")),
        }
    }
    flags
}

fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    format!("{}; try --help", line.strip_prefix("error: ").unwrap_or(line))
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linearizable => "linearizable",
            Self::Local => "local",
        })
    }
}

/// The values given, by flag; defaults are in the table.
struct Given {
    values: BTreeMap<&'static str, String>,
    remarks: Vec<String>,
}

impl Given {
    fn new(matches: &clap::ArgMatches, remarks: Vec<String>) -> Result<Self, String> {
        let mut given = Self { values: BTreeMap::new(), remarks };
        for row in table::rows() {
            if let Some(value) = matches.get_one::<String>(row.name) {
                given.take(row, value.clone())?;
            }
        }
        Ok(given)
    }

    fn take(&mut self, row: &'static Row, value: String) -> Result<(), String> {
        match row.kind {
            Kind::Known { .. } => {
                self.values.insert(row.name, value);
            }
            Kind::Meaningless => {
                self.remarks.push(format!("--{} means nothing here: accepted, ignored", row.name));
            }
            Kind::NotYet { harmless } if value == harmless || value.is_empty() => {}
            Kind::NotYet { .. } => return Err(format!("--{} is not supported yet", row.name)),
        }
        Ok(())
    }

    fn flags(mut self) -> Result<Flags, String> {
        let name = self.text("name");
        let listen_client = self.urls("listen-client-urls")?;
        let listen_peer = self.urls("listen-peer-urls")?;
        let advertise_client =
            self.advertised("advertise-client-urls", "listen-client-urls", &listen_client)?;
        let advertise_peer =
            self.advertised("initial-advertise-peer-urls", "listen-peer-urls", &listen_peer)?;
        let cluster = self.cluster(&name, &advertise_peer)?;
        let bounds = Bounds::new(&self)?;
        let token = self.text("initial-cluster-token");
        let identity = Identity::new(&name, &cluster, &token, bounds.history_events)?;
        let (heartbeat, election) =
            (self.millis("heartbeat-interval")?, self.millis("election-timeout")?);
        if heartbeat.is_zero() || election < heartbeat * 5 {
            return Err("--election-timeout should be at least 5 times --heartbeat-interval, \
                 and neither may be 0"
                .into());
        }
        Ok(Flags {
            data_dir: self.text("data-dir").into(),
            existing: self
                .choice("initial-cluster-state", &[("new", false), ("existing", true)])?,
            snapshot_count: self.number("snapshot-count")?.max(1),
            log_level: self.choice("log-level", LEVELS)?,
            read_consistency: self.choice(
                "read-consistency",
                &[("linearizable", Consistency::Linearizable), ("local", Consistency::Local)],
            )?,
            bounds,
            remarks: std::mem::take(&mut self.remarks),
            name,
            listen_client,
            advertise_client,
            listen_peer,
            identity,
            heartbeat,
            election,
        })
    }

    fn text(&self, name: &'static str) -> String {
        self.values.get(name).cloned().unwrap_or_else(|| table::default_of(name).into())
    }

    fn urls(&self, name: &'static str) -> Result<Vec<Url>, String> {
        Url::parse_list(&self.text(name)).map_err(|wrong| format!("--{name}: {wrong}"))
    }

    /// What is told to others: what was given, else where this member listens if
    /// that was given, else etcd's default.
    fn advertised(
        &self,
        name: &'static str,
        listen: &'static str,
        listening: &[Url],
    ) -> Result<Vec<Url>, String> {
        if self.values.contains_key(name) || !self.values.contains_key(listen) {
            return self.urls(name);
        }
        if listening.iter().any(Url::is_unspecified) {
            return Err(format!("--{name} is required when --{listen} names every interface"));
        }
        Ok(listening.to_vec())
    }

    /// `NAME=URL,NAME=URL,…`; a name that comes again adds a URL.
    fn cluster(&self, name: &str, own: &[Url]) -> Result<Vec<(String, Vec<Url>)>, String> {
        let Some(text) = self.values.get("initial-cluster") else {
            return Ok(vec![(name.to_owned(), own.to_vec())]);
        };
        let mut members: BTreeMap<String, Vec<Url>> = BTreeMap::new();
        for part in text.split(',') {
            let (member, url) = part
                .trim()
                .split_once('=')
                .filter(|(member, _)| !member.is_empty())
                .ok_or_else(|| format!("--initial-cluster: \"{part}\" is not NAME=URL"))?;
            let url = Url::parse(url).map_err(|wrong| format!("--initial-cluster: {wrong}"))?;
            members.entry(member.to_owned()).or_default().push(url);
        }
        let sorted = |urls: &[Url]| {
            let mut urls = urls.to_vec();
            urls.sort();
            urls
        };
        let differs = |urls: &&Vec<Url>| sorted(urls) != sorted(own);
        if members.get(name).filter(differs).is_some()
            && self.values.contains_key("initial-advertise-peer-urls")
        {
            return Err(format!(
                "--initial-cluster gives {name} other URLs than --initial-advertise-peer-urls"
            ));
        }
        Ok(members.into_iter().collect())
    }

    fn number(&self, name: &'static str) -> Result<u64, String> {
        let text = self.text(name);
        text.parse().map_err(|_| format!("--{name}: \"{text}\" is not a number"))
    }

    fn millis(&self, name: &'static str) -> Result<Duration, String> {
        match self.number(name)? {
            ms if ms <= 50_000 => Ok(Duration::from_millis(ms)),
            ms => Err(format!("--{name}: {ms} ms is too long; at most 50000")),
        }
    }

    fn choice<T: Copy>(&self, name: &'static str, choices: &[(&str, T)]) -> Result<T, String> {
        let text = self.text(name);
        let found = choices.iter().find(|(word, _)| *word == text);
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            format!("--{name}: \"{text}\" is none of {}", words.join(", "))
        })
    }
}

const LEVELS: &[(&str, LevelFilter)] = &[
    ("debug", LevelFilter::DEBUG),
    ("info", LevelFilter::INFO),
    ("warn", LevelFilter::WARN),
    ("error", LevelFilter::ERROR),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Flags, String> {
        let arguments = arguments.iter().map(OsString::from);
        let environment = environment.iter().map(|&(name, value)| (name.into(), value.into()));
        match Flags::parse(arguments, environment)? {
            Command::Serve(flags) => Ok(*flags),
            Command::Print(text) => Err(text),
        }
    }

    #[test]
    fn without_flags_it_is_a_single_node_as_etcd_names_it() {
        let flags = parse(&[], &[]).unwrap();
        assert_eq!(flags.name, "default");
        assert_eq!(flags.data_dir, PathBuf::from("quorate.data"));
        assert_eq!(flags.listen_client[0].address(), "127.0.0.1:2379");
        assert_eq!(flags.identity.id, 0x8e9e_05c5_2164_694d);
        assert_eq!(flags.read_consistency, Consistency::Linearizable);
        let bounds = flags.bounds;
        assert_eq!((bounds.key_bytes, bounds.key_depth), (8 << 10, 256));
        assert_eq!((bounds.body_bytes, bounds.history_events), (10 << 20, 1_000));
        assert!(flags.remarks.is_empty());
    }

    #[test]
    fn one_dash_or_two_a_space_or_an_equals_sign_and_variables() {
        for arguments in [["-name", "x"].as_slice(), &["--name=x"], &["-name=x"], &["--name", "x"]]
        {
            assert_eq!(parse(arguments, &[("ETCD_NAME", "y")]).unwrap().name, "x");
        }
        let flags = parse(&[], &[("ETCD_NAME", "y"), ("ETCD_SNAPSHOT_COUNT", "7"), ("PATH", "z")]);
        let flags = flags.unwrap();
        assert_eq!((flags.name.as_str(), flags.snapshot_count), ("y", 7));
    }

    #[test]
    fn what_is_not_utf8_is_one_line_if_it_is_for_this_server() {
        use std::os::unix::ffi::OsStringExt;
        let odd = || OsString::from_vec(b"ETCD_\xff".to_vec());
        let parse = |arguments: &[OsString], variable: OsString, value: OsString| {
            Flags::parse(arguments.to_vec(), [(variable, value)])
        };
        assert!(parse(&[], "PATH".into(), odd()).is_ok());
        assert!(parse(&[], OsString::from_vec(vec![0xff]), "x".into()).is_ok());
        for refused in [
            parse(&[odd()], "PATH".into(), "x".into()),
            parse(&[], "ETCD_NAME".into(), odd()),
            parse(&[], odd(), "x".into()),
        ] {
            let line = refused.unwrap_err();
            assert!(line.ends_with("is not UTF-8") && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn three_members() {
        let cluster = "--initial-cluster=a=http://h:1,b=http://h:2,c=http://h:3";
        let flags = parse(&["--name", "b", cluster], &[]).unwrap();
        assert_eq!(flags.identity.members.len(), 3);
        let line = parse(&["--name", "d", cluster], &[]).unwrap_err();
        assert!(line.contains("\"d\"") && line.contains("--initial-cluster"), "{line}");
    }

    #[test]
    fn what_means_nothing_is_said_and_what_is_not_there_refused() {
        let flags = parse(&["--enable-v2=true", "--logger", "zap", "--debug"], &[]).unwrap();
        assert_eq!(flags.remarks.len(), 3);
        assert!(flags.remarks[0].contains("--enable-v2"));
        for harmless in ["--proxy=off", "--client-cert-auth=false", "--metrics=basic"] {
            assert!(parse(&[harmless], &[]).unwrap().remarks.is_empty(), "{harmless}");
        }
        for flag in ["--cert-file=x", "--proxy=on", "--client-cert-auth", "--bcrypt-cost=4"] {
            assert!(parse(&[flag], &[]).unwrap_err().contains("not supported yet"), "{flag}");
        }
    }

    #[test]
    fn each_mistake_is_one_line() {
        for (arguments, word) in [
            (["--nonsense"].as_slice(), "unexpected argument '--nonsense'"),
            (&["-nonsense=1"], "unexpected argument '--nonsense'"),
            (&["serve"], "unexpected argument 'serve'"),
            (&["--name"], "a value is required for '--name"),
            (&["--listen-client-urls", "foo"], "--listen-client-urls: URL scheme"),
            (&["--listen-client-urls", "http://0.0.0.0:1"], "--advertise-client-urls is required"),
            (&["--initial-cluster", "x"], "not NAME=URL"),
            (&["--heartbeat-interval", "x"], "not a number"),
            (&["--election-timeout", "100"], "at least 5 times"),
            (&["--log-level", "loud"], "none of debug, info"),
            (&["--max-key-depth", "0"], "--max-key-depth: 0 is not between 1 and 4096"),
            (&["--max-body-bytes=1e9"], "not a number"),
            (&["--history-events", "99999999"], "not between 1 and 1000000"),
        ] {
            let line = parse(arguments, &[]).unwrap_err();
            assert!(line.contains(word) && !line.contains('\n'), "{line}");
        }
    }
}
