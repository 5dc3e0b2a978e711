//! Who is who: member and cluster ids, computed as etcd computes them, so that
//! every member of a cluster finds the same ones in the same flags.

use quorate_engine::{Attributes, Member, NodeId};
use sha1::{Digest, Sha1};

use crate::urls::{Url, texts};

/// The cluster that the flags describe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// This member.
    pub id: NodeId,
    /// The cluster.
    pub cluster: u64,
    /// Every member, in order of id.
    pub members: Vec<Member>,
    /// Events in the history window: members with another one would not come to the
    /// same state.
    pub history_events: usize,
}

impl Identity {
    /// Finds the ids of a cluster's members and of the one called `name`.
    ///
    /// # Errors
    /// One line, when `name` is missing or two members have the same URLs.
    pub fn new(
        name: &str,
        cluster: &[(String, Vec<Url>)],
        token: &str,
        history_events: usize,
    ) -> Result<Self, String> {
        let mut members: Vec<Member> = cluster
            .iter()
            .map(|(_, urls)| Member {
                id: member_id(urls, token),
                peer_urls: texts(urls),
                attributes: Attributes::default(),
            })
            .collect();
        let own = cluster.iter().position(|(other, _)| other == name);
        let id = match own {
            Some(at) => members[at].id,
            None => {
                return Err(format!("couldn't find local name \"{name}\" in --initial-cluster"));
            }
        };
        members.sort_by_key(|member| member.id);
        if members.windows(2).any(|pair| pair[0].id == pair[1].id) {
            return Err("two members of --initial-cluster have the same URLs".into());
        }
        Ok(Self { id, cluster: cluster_id(&members), members, history_events })
    }
}

fn member_id(urls: &[Url], token: &str) -> NodeId {
    let mut sorted = texts(urls);
    sorted.sort();
    first_eight(&[sorted.concat().as_bytes(), token.as_bytes()])
}

fn cluster_id(members: &[Member]) -> u64 {
    let ids: Vec<[u8; 8]> = members.iter().map(|member| member.id.to_be_bytes()).collect();
    first_eight(&ids.iter().map(<[u8; 8]>::as_slice).collect::<Vec<_>>())
}

fn first_eight(parts: &[&[u8]]) -> u64 {
    let mut sha1 = Sha1::new();
    parts.iter().for_each(|part| sha1.update(part));
    let hash = sha1.finalize();
    hash.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(text: &str) -> Vec<Url> {
        Url::parse_list(text).unwrap()
    }

    #[test]
    fn the_ids_are_those_of_etcd() {
        let cluster = [("default".into(), urls("http://localhost:2380"))];
        let identity = Identity::new("default", &cluster, "etcd-cluster", 1_000).unwrap();
        assert_eq!(format!("{:x}", identity.id), "8e9e05c52164694d");
        assert_eq!(format!("{:x}", identity.cluster), "cdf818194e3a8c32");
    }

    #[test]
    fn neither_the_order_of_members_nor_of_urls_matters() {
        let (a, b) = ("http://a:1,http://a:2", "http://b:1");
        let one = [("a".into(), urls(a)), ("b".into(), urls(b))];
        let two = [("b".into(), urls(b)), ("a".into(), urls("http://a:2,http://a:1"))];
        let (one, two) = (
            Identity::new("a", &one, "t", 1_000).unwrap(),
            Identity::new("a", &two, "t", 1_000).unwrap(),
        );
        assert_eq!((one.id, one.cluster), (two.id, two.cluster));
        assert_ne!(
            one.cluster,
            Identity::new("b", &[("b".into(), urls(b))], "t", 1_000).unwrap().cluster
        );
    }

    #[test]
    fn a_missing_name_and_a_double_member_are_refused() {
        let twice = [("a".into(), urls("http://a:1")), ("b".into(), urls("http://a:1"))];
        assert!(Identity::new("a", &twice, "t", 1_000).unwrap_err().contains("same URLs"));
        assert!(Identity::new("c", &twice, "t", 1_000).unwrap_err().contains("\"c\""));
    }
}
