//! Finds out which of the NameNodes of a nameservice is the active one. hdfs-native asks them in their order,
//! and goes on to the next one if a NameNode refuses. It has no deadline for one that is silent, and would
//! ask that one first for ever.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use hadoop_rpc::{CallOptions, HadoopConf, Login, RemoteKind, RpcClient};

use crate::error::FsError;
use crate::location::Location;
use crate::name_node_rpc::{PROTOCOL, name_nodes, options};

/// A NameNode that is alive answers much sooner.
const WITHIN: Duration = Duration::from_secs(2);

/// `RenewLeaseRequestProto` of Hadoop's ClientNamenodeProtocol.proto. Only the active NameNode executes the
/// call, and it does nothing for a client that writes no file.
#[derive(Clone, PartialEq, prost::Message)]
struct RenewLeaseRequest {
    #[prost(string, required, tag = "1")]
    client_name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RenewLeaseResponse {}

/// The NameNodes of one nameservice, in the order of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct NameNodes {
    nodes: Vec<(String, RpcClient)>,
}

impl NameNodes {
    /// The NameNodes of this nameservice. It is a failure if an address cannot be understood.
    pub(crate) fn of(conf: &HadoopConf, nameservice: &Location, login: &Login) -> Result<Self, FsError> {
        let options = options(conf, login, nameservice)?;
        let client = |endpoint| RpcClient::new(endpoint, PROTOCOL, options.clone());
        let found = name_nodes(conf, nameservice)?.into_iter();
        Ok(Self { nodes: found.map(|(name, endpoint)| (name, client(endpoint))).collect() })
    }

    /// The index of the active NameNode; `None` if none says within two seconds that it is active. All are
    /// asked at the same time.
    pub(crate) async fn active(&self) -> Option<usize> {
        let nodes = self.nodes.iter().map(|(_, rpc)| rpc).enumerate();
        let ask = |(index, rpc)| async move { is_active(rpc).await.then_some(index) };
        let mut answers: FuturesUnordered<_> = nodes.map(ask).collect();
        while let Some(answer) = answers.next().await {
            if answer.is_some() {
                return answer;
            }
        }
        None
    }

    /// The value of `dfs.ha.namenodes` with this NameNode as the first one.
    pub(crate) fn beginning_with(&self, first: usize) -> String {
        let at = |index: usize| self.nodes.get(index).map(|(name, _)| name.as_str());
        let others = (0..self.nodes.len()).filter(|index| *index != first);
        std::iter::once(first).chain(others).filter_map(at).collect::<Vec<_>>().join(",")
    }

    /// The address of the NameNode, for messages.
    pub(crate) fn address(&self, index: usize) -> String {
        self.nodes.get(index).map(|(_, rpc)| rpc.endpoint().to_string()).unwrap_or_default()
    }
}

/// Whether the NameNode executes calls, or would do so if it were not in safe mode.
async fn is_active(rpc: &RpcClient) -> bool {
    let request = RenewLeaseRequest { client_name: "heddle".to_owned() };
    let options = CallOptions { deadline: Some(WITHIN), idempotent: true };
    let answer: Result<RenewLeaseResponse, _> = rpc.call_with("renewLease", &request, options).await;
    match answer {
        Ok(_) => true,
        Err(error) => matches!(error.remote_kind(), Some(RemoteKind::SafeMode | RemoteKind::Retriable)),
    }
}

#[cfg(test)]
mod tests {
    use hadoop_rpc::UserIdentity;

    use super::*;
    use crate::error::FsErrorKind;

    fn name_nodes(pairs: &[(&str, &str)]) -> Result<NameNodes, FsError> {
        let conf = HadoopConf::from_map(pairs.iter().copied());
        let location = Location::find(&conf, Some("hdfs://ns")).unwrap();
        NameNodes::of(&conf, &location, &Login::simple(UserIdentity::new("ann")))
    }

    #[test]
    fn the_active_one_comes_first() {
        let all = [
            ("dfs.ha.namenodes.ns", "a,b,c"),
            ("dfs.namenode.rpc-address.ns.a", "h1:1"),
            ("dfs.namenode.rpc-address.ns.b", "h2:2"),
            ("dfs.namenode.rpc-address.ns.c", "h3:3"),
        ];
        let found = name_nodes(&all).unwrap();
        assert_eq!(found.beginning_with(0), "a,b,c");
        assert_eq!(found.beginning_with(2), "c,a,b");
        assert_eq!(found.address(1), "h2:2");
        let bad = [("dfs.ha.namenodes.ns", "a"), ("dfs.namenode.rpc-address.ns.a", "nowhere")];
        assert_eq!(name_nodes(&bad).unwrap_err().kind(), FsErrorKind::Configuration);
    }
}
