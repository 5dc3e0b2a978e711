//! Every flag that etcd 3.4 has, and what becomes of it here.

use clap::{Arg, Command};

/// One flag.
pub struct Row {
    /// Without dashes.
    pub name: &'static str,
    /// Whether it needs a value.
    pub form: Form,
    /// What it does.
    pub kind: Kind,
}

/// How a flag is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With a value, always.
    Value,
    /// Alone, which means `true`, or with `=VALUE`.
    Switch,
}

/// What a flag does.
pub enum Kind {
    /// It does what its help says.
    Known { default: &'static str, help: &'static str },
    /// It concerns something that does not exist here: accepted.
    Meaningless,
    /// It asks for something that is not there yet: refused, but for the one
    /// value that asks for nothing.
    NotYet { harmless: &'static str },
}

use Form::{Switch, Value};

const fn known(name: &'static str, default: &'static str, help: &'static str) -> Row {
    Row { name, form: Value, kind: Kind::Known { default, help } }
}

const fn meaningless(name: &'static str, form: Form) -> Row {
    Row { name, form, kind: Kind::Meaningless }
}

const fn not_yet(name: &'static str, form: Form, harmless: &'static str) -> Row {
    Row { name, form, kind: Kind::NotYet { harmless } }
}

static ROWS: &[Row] = &[
    known("name", "default", "this member's name"),
    known("data-dir", "quorate.data", "where this member's data lives"),
    known(
        "listen-client-urls",
        "http://127.0.0.1:2379",
        "where to listen to clients (comma-separated)",
    ),
    known("advertise-client-urls", "http://localhost:2379", "where clients are told to go"),
    known(
        "listen-peer-urls",
        "http://127.0.0.1:2380",
        "where to listen to peers (comma-separated)",
    ),
    known("initial-advertise-peer-urls", "http://localhost:2380", "where peers reach this member"),
    known("initial-cluster", "", "the members: NAME=URL,NAME=URL,... (default: this one alone)"),
    known("initial-cluster-state", "new", "new or existing"),
    known("initial-cluster-token", "etcd-cluster", "keeps clusters with equal URLs apart"),
    known("heartbeat-interval", "100", "ms between a leader's heartbeats"),
    known("election-timeout", "1000", "ms without a leader before an election"),
    known("snapshot-count", "10000", "log entries between snapshots"),
    known("log-level", "info", "debug, info, warn or error"),
    known("read-consistency", "linearizable", "linearizable, or local as etcd reads (ours)"),
    known("max-key-bytes", "8192", "bytes of a key (ours)"),
    known("max-key-depth", "256", "components of a key (ours)"),
    known("max-body-bytes", "10485760", "bytes of a request's body, and so of a value (ours)"),
    known(
        "history-events",
        "1000",
        "events kept for watches; the same on every member, and for ever (ours)",
    ),
    known("max-watches", "65536", "watches that wait at once (ours)"),
    meaningless("enable-v2", Switch),
    meaningless("enable-grpc-gateway", Switch),
    meaningless("enable-pprof", Switch),
    meaningless("logger", Value),
    meaningless("log-outputs", Value),
    meaningless("log-output", Value),
    meaningless("log-package-levels", Value),
    meaningless("debug", Switch),
    meaningless("pre-vote", Switch),
    meaningless("strict-reconfig-check", Switch),
    meaningless("initial-election-tick-advance", Switch),
    meaningless("max-snapshots", Value),
    meaningless("max-wals", Value),
    meaningless("max-request-bytes", Value),
    meaningless("max-txn-ops", Value),
    meaningless("quota-backend-bytes", Value),
    meaningless("backend-batch-interval", Value),
    meaningless("backend-batch-limit", Value),
    meaningless("backend-bbolt-freelist-type", Value),
    meaningless("auto-compaction-mode", Value),
    meaningless("auto-compaction-retention", Value),
    meaningless("grpc-keepalive-min-time", Value),
    meaningless("grpc-keepalive-interval", Value),
    meaningless("grpc-keepalive-timeout", Value),
    not_yet("metrics", Value, "basic"),
    not_yet("auth-token", Value, "simple"),
    not_yet("auth-token-ttl", Value, "300"),
    not_yet("bcrypt-cost", Value, "10"),
    not_yet("wal-dir", Value, ""),
    not_yet("cors", Value, "*"),
    not_yet("host-whitelist", Value, "*"),
    not_yet("config-file", Value, ""),
    not_yet("listen-metrics-urls", Value, ""),
    not_yet("cert-file", Value, ""),
    not_yet("key-file", Value, ""),
    not_yet("trusted-ca-file", Value, ""),
    not_yet("ca-file", Value, ""),
    not_yet("client-cert-auth", Switch, "false"),
    not_yet("client-crl-file", Value, ""),
    not_yet("client-cert-allowed-hostname", Value, ""),
    not_yet("auto-tls", Switch, "false"),
    not_yet("cipher-suites", Value, ""),
    not_yet("peer-cert-file", Value, ""),
    not_yet("peer-key-file", Value, ""),
    not_yet("peer-trusted-ca-file", Value, ""),
    not_yet("peer-ca-file", Value, ""),
    not_yet("peer-client-cert-auth", Switch, "false"),
    not_yet("peer-cert-allowed-cn", Value, ""),
    not_yet("peer-cert-allowed-hostname", Value, ""),
    not_yet("peer-crl-file", Value, ""),
    not_yet("peer-auto-tls", Switch, "false"),
    not_yet("proxy", Value, "off"),
    not_yet("proxy-failure-wait", Value, "5000"),
    not_yet("proxy-refresh-interval", Value, "30000"),
    not_yet("proxy-dial-timeout", Value, "1000"),
    not_yet("proxy-write-timeout", Value, "5000"),
    not_yet("proxy-read-timeout", Value, "0"),
    not_yet("discovery", Value, ""),
    not_yet("discovery-fallback", Value, "proxy"),
    not_yet("discovery-proxy", Value, ""),
    not_yet("discovery-srv", Value, ""),
    not_yet("discovery-srv-name", Value, ""),
    not_yet("force-new-cluster", Switch, "false"),
    not_yet("unsafe-no-fsync", Switch, "false"),
];

/// The flag of this name.
pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

/// A known flag's default.
pub fn default_of(name: &str) -> &'static str {
    match find(name).map(|row| &row.kind) {
        Some(Kind::Known { default, .. }) => default,
        _ => "",
    }
}

/// Every flag.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter()
}

/// The command line as clap is to read it.
pub fn command() -> Command {
    Command::new("quorate")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A replicated, strongly consistent store that speaks etcd's v2 API")
        .after_help(
            "One dash or two, a space or `=`; each flag has a variable ETCD_FLAG_NAME.\n\
             Other flags of etcd's are accepted or refused with one line that says why;\n\
             those marked (ours) are not etcd's.",
        )
        .args_override_self(true)
        .args(ROWS.iter().map(argument))
}

fn argument(row: &'static Row) -> Arg {
    let argument = Arg::new(row.name).long(row.name).value_name("VALUE");
    let argument = match row.form {
        Value => argument.allow_hyphen_values(true),
        Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
    };
    match row.kind {
        Kind::Known { default: "", help } => argument.help(help),
        Kind::Known { default, help } => argument.help(format!("{help} [{default}]")),
        Kind::Meaningless | Kind::NotYet { .. } => argument.hide(true),
    }
}
