//! The web services of NodeManagers, as far as they are about the logs and the ends of containers.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use flink_model::ssl::{Password, RestSsl, StoreSettings};
use flink_rest::{Download, RestAddress, RestClient, RestError, RestTimeouts, Scheme, Tls, WrittenAddress};
use hadoop_rpc::{Authentication, HadoopConf};
use serde_json::Value;
use yarn_logs::live::{self, Begin, Ended, LiveLog, escaped};

use super::missing::Missing;
use crate::hadoop::Hadoop;

/// The deadline of a connection, of the beginning of an answer, and of each piece of it.
const DEADLINE: Duration = Duration::from_secs(20);
/// The largest list of log files, or description of a container, in bytes.
const LARGEST_ANSWER: usize = 4 << 20;
const TRUSTSTORE: &str = "ssl.client.truststore.location";
const TRUSTSTORE_PASSWORD: &str = "ssl.client.truststore.password";

/// How NodeManagers of a cluster are called.
#[derive(Debug, Clone)]
pub(crate) struct NodePolicy {
    /// Whether they are never called by plain HTTP.
    https_only: bool,
    /// What their certificates have to be; `None` if it cannot be told why.
    tls: Result<Option<Tls>, String>,
    /// The name of the caller, for a cluster that believes it.
    user: Option<String>,
}

impl NodePolicy {
    /// What the configuration says (`yarn.http.policy`). The certificates that count are those of the
    /// truststore in `ssl-client.xml` or, if there is none, those of this machine.
    pub(crate) fn of(hadoop: &Hadoop) -> Self {
        let policy = hadoop.conf.get_or("yarn.http.policy", "HTTP_ONLY").unwrap_or_default();
        let https_only = policy.eq_ignore_ascii_case("HTTPS_ONLY");
        let is_believed = !matches!(Authentication::of(&hadoop.conf), Ok(Authentication::Kerberos));
        let user = is_believed.then(|| hadoop.login.user().effective.clone());
        let tls = if https_only { tls(&hadoop.conf).map(Some) } else { Ok(None) };
        Self { https_only, tls, user }
    }

    /// The NodeManager at this address, which is `host:port`, or a URL without a path.
    pub(crate) fn at(&self, address: &str) -> Result<NodeWeb, String> {
        let written: WrittenAddress = address
            .parse()
            .map_err(|_| format!("the ResourceManager gives {address:?} as the address of its web pages"))?;
        if written.scheme == Some(Scheme::Https) && !self.https_only {
            return Err(
                "it speaks TLS, and yarn.http.policy of this machine's configuration is not HTTPS_ONLY"
                    .into(),
            );
        }
        let tls = self.tls.clone()?;
        let address = RestAddress { host: written.host, port: written.port, tls };
        let client = RestClient::new(&address, RestTimeouts::one_try(DEADLINE)).map_err(|e| e.to_string())?;
        Ok(NodeWeb { client, user: self.user.clone() })
    }
}

/// TLS for NodeManagers. The file is where Hadoop's own clients have it: beside the other files of the
/// configuration.
fn tls(conf: &HadoopConf) -> Result<Tls, String> {
    let name = conf.get_or("hadoop.ssl.client.conf", "ssl-client.xml").map_err(|e| e.to_string())?;
    let directories = conf.files().iter().filter_map(|file| file.parent());
    let file = directories.map(|directory| directory.join(&name)).find(|file| file.is_file());
    let mut settings = RestSsl { verify_hostname: true, ..RestSsl::default() };
    if let Some(file) = file
        && let Some(ssl) = HadoopConf::of_file(&file).map_err(|e| e.to_string())?
        && let Some(path) = ssl.get(TRUSTSTORE).map_err(|e| e.to_string())?
    {
        let password = ssl.get_or(TRUSTSTORE_PASSWORD, "").map_err(|e| e.to_string())?;
        settings.truststore = Some(StoreSettings {
            path,
            path_key: TRUSTSTORE,
            password: Password::from(password.as_str()),
            password_key: TRUSTSTORE_PASSWORD,
        });
    }
    Tls::of_client(&settings, Path::new("/")).map_err(|e| e.to_string())
}

/// A NodeManager.
#[derive(Debug, Clone)]
pub(crate) struct NodeWeb {
    client: RestClient,
    user: Option<String>,
}

impl NodeWeb {
    /// Its URL, for messages.
    pub(crate) fn url(&self) -> &str {
        self.client.base()
    }

    /// The path with the name of the caller.
    fn named(&self, path: String) -> String {
        match &self.user {
            Some(user) => {
                let sign = if path.contains('?') { '&' } else { '?' };
                format!("{path}{sign}user.name={}", escaped(user))
            }
            None => path,
        }
    }

    /// The log files of a container.
    pub(crate) async fn list(&self, container: &str) -> Result<Vec<LiveLog>, Trouble> {
        let answer = self.whole(live::list_path(container), "list of log files").await?;
        live::list(&answer).ok_or_else(|| Trouble::new("its answer is no list of log files"))
    }

    /// How a container has ended; `None` if it has not. The NodeManager forgets it some seconds after its
    /// end.
    pub(crate) async fn ended(&self, container: &str) -> Result<Option<Ended>, Trouble> {
        let answer = self.whole(live::container_path(container), "description of the container").await?;
        Ok(live::ended(&answer))
    }

    /// The whole answer to a question. `what` it is, for messages.
    async fn whole(&self, path: String, what: &str) -> Result<Vec<u8>, Trouble> {
        let mut answer = self.client.open(&self.named(path)).await.map_err(Trouble::of)?;
        let mut text = Vec::new();
        while let Some(piece) = answer.next().await.map_err(Trouble::of)? {
            if text.len() + piece.len() > LARGEST_ANSWER {
                let most = LARGEST_ANSWER >> 20;
                return Err(Trouble::new(format!("its {what} is larger than {most} MiB")));
            }
            text.extend_from_slice(&piece);
        }
        Ok(text)
    }

    /// The text of a log file: all of it, or its last bytes.
    pub(crate) async fn open(
        &self,
        container: &str,
        file: &str,
        last: Option<u64>,
    ) -> Result<LiveText, Trouble> {
        let path = self.named(live::log_path(container, file, last));
        let mut answer = self.client.open(&path).await.map_err(Trouble::of)?;
        let mut head = Vec::new();
        loop {
            let piece = answer.next().await.map_err(Trouble::of)?;
            head.extend_from_slice(piece.as_deref().unwrap_or_default());
            let (size, text_at) = match live::begin(&head, piece.is_none()) {
                Begin::More => continue,
                Begin::Head { size, text_at } => (Some(size), text_at),
                Begin::Empty => (Some(0), head.len()),
                Begin::Text => (None, 0),
            };
            let left = size.map_or(u64::MAX, |size| last.map_or(size, |last| last.min(size)));
            let from = size.unwrap_or_default() - left.min(size.unwrap_or_default());
            let held = Bytes::from(head).slice(text_at..);
            return Ok(LiveText { answer, held, left, from, is_all: size.is_none() });
        }
    }
}

/// The text of a log file that a NodeManager sends.
#[derive(Debug)]
pub(crate) struct LiveText {
    answer: Download,
    held: Bytes,
    left: u64,
    /// Where in the file the text begins.
    pub(crate) from: u64,
    /// Whether the text goes on to the end of the answer, because nothing tells its size.
    is_all: bool,
}

impl LiveText {
    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        if self.left == 0 {
            return Ok(None);
        }
        while self.held.is_empty() {
            match self.answer.next().await.map_err(Trouble::of)? {
                Some(piece) => self.held = piece,
                None if self.is_all => return Ok(None),
                None => return Err(Trouble::new("its answer ends before the end of the log").retry()),
            }
        }
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.held.len());
        self.left -= count as u64;
        Ok(Some(self.held.split_to(count)))
    }
}

/// Why a NodeManager did not give what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) why: String,
    hint: Option<&'static str>,
    retry_helps: bool,
    /// Whether the NodeManager does not have the container or the file.
    pub(crate) is_not_there: bool,
}

impl Trouble {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), hint: None, retry_helps: false, is_not_there: false }
    }

    fn retry(self) -> Self {
        Self { retry_helps: true, ..self }
    }

    fn of(error: RestError) -> Self {
        let (status, retry_helps) = (error.status(), error.retry_helps());
        let said = match &error {
            RestError::Remote { full, .. } => exception(&full.0).unwrap_or_else(|| error.to_string()),
            error => error.to_string(),
        };
        let not_there = said.contains("Unknown container") || said.contains("NotFoundException");
        let is_not_there = status == Some(404) || status == Some(500) && not_there;
        let (why, hint) = match status {
            _ if matches!(error, RestError::Negotiate { .. }) => (
                "it wants to know by Kerberos who asks (SPNEGO), which heddle does not do for web pages"
                    .to_owned(),
                Some(
                    "a browser with a ticket can read it; when the application has ended, its collected logs are read without that",
                ),
            ),
            Some(403) => (format!("it refuses to show it: {said}"), Some(ACCESS)),
            Some(500) if said.contains("not authorized") => {
                (format!("it refuses to show it: {said}"), Some(ACCESS))
            }
            Some(status) => (format!("it answers with HTTP {status}: {said}"), None),
            None => (
                said,
                Some("check that the node runs, and that its web port can be reached from this machine"),
            ),
        };
        Self { why, hint, retry_helps, is_not_there }
    }

    /// The same for people: `what` is what is missing.
    pub(crate) fn missing(&self, what: impl Into<String>) -> Missing {
        let missing = Missing::new(what, &self.why).retry_if(self.retry_helps);
        match self.hint {
            Some(hint) => missing.hint(hint),
            None => missing,
        }
    }
}

const ACCESS: &str = "the application's user and those in yarn.view.acls may see its logs";

/// The message of an exception that Hadoop's web services report as JSON.
fn exception(text: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(text).ok()?;
    let exception = answer.get("RemoteException")?;
    let of = |key: &str| exception.get(key).and_then(Value::as_str).unwrap_or_default();
    Some(format!("{}: {}", of("exception"), of("message")).chars().take(400).collect())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const HEAD: &str = "Container: c on h:1\nLogType:a.log\nLogLength:10\nLogContents:\n";

    /// A node that answers the next call, and what it was asked for.
    async fn answered<T>(
        answer: String,
        call: impl AsyncFnOnce(NodeWeb) -> Result<T, Trouble>,
    ) -> (Result<T, Trouble>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let policy = NodePolicy { https_only: false, tls: Ok(None), user: Some("a b".into()) };
        let node = policy.at(&listener.local_addr().unwrap().to_string()).unwrap();
        let served = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            drop(stream.shutdown().await);
            String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned()
        };
        tokio::join!(call(node), served)
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}")
    }

    async fn text(body: &str, last: Option<u64>) -> (u64, String) {
        let (text, asked) = answered(ok(body), async |node| {
            let mut opened = node.open("c", "a.log", last).await?;
            let mut text = Vec::new();
            while let Some(piece) = opened.next().await? {
                text.extend_from_slice(&piece);
            }
            Ok((opened.from, String::from_utf8(text).unwrap()))
        })
        .await;
        assert!(
            asked.contains("/ws/v1/node/containerlogs/c/a.log") && asked.contains("user.name=a%20b"),
            "{asked}"
        );
        text.unwrap()
    }

    #[tokio::test]
    async fn only_the_text_is_taken() {
        let behind = "\nEnd of LogType:a.log.\n";
        assert_eq!(text(&format!("{HEAD}0123456789{behind}"), None).await, (0, "0123456789".into()));
        assert_eq!(text(&format!("{HEAD}6789{behind}"), Some(4)).await, (6, "6789".into()));
        assert_eq!(text(&format!("{HEAD}0123456789{behind}"), Some(40)).await, (0, "0123456789".into()));
        assert_eq!(text("End of LogType:a.log.\n", None).await, (0, String::new()));
        assert_eq!(text("2026 plain\n", None).await, (0, "2026 plain\n".into()));
    }

    #[tokio::test]
    async fn the_end_of_a_container() {
        let answer = ok(r#"{"container":{"state":"DONE","exitCode":-104,"diagnostics":"x"}}"#);
        let (ended, asked) = answered(answer, async |node| node.ended("c").await).await;
        assert_eq!(ended.unwrap().map(|ended| ended.status), Some(-104));
        assert!(asked.contains("/ws/v1/node/containers/c?user.name=a%20b"), "{asked}");
    }

    #[tokio::test]
    async fn troubles() {
        let list = |answer: &str| {
            let answer = answer.to_owned();
            async { answered(answer, async |node| node.list("c").await).await.0 }
        };
        assert_eq!(list(&ok("{\"containerLogsInfo\":[]}")).await, Ok(vec![]));
        let why = list(&ok("<html>")).await.unwrap_err().why;
        assert!(why.contains("no list"), "{why}");
        let refused = |status: &str, body: &str| {
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        };
        let gone = r#"{"RemoteException":{"exception":"NotFoundException","message":"Unknown container."}}"#;
        let trouble = list(&refused("404 Not Found", gone)).await.unwrap_err();
        assert!(
            trouble.is_not_there && trouble.why.contains("NotFoundException: Unknown container."),
            "{trouble:?}"
        );
        assert!(list(&refused("500 Error", gone)).await.unwrap_err().is_not_there);
        let trouble =
            list(&refused("401 Unauthorized\r\nWWW-Authenticate: Negotiate", "")).await.unwrap_err();
        assert!(trouble.why.contains("SPNEGO") && trouble.hint.is_some(), "{trouble:?}");
        let trouble = list(&refused("401 Unauthorized", "")).await.unwrap_err();
        assert!(trouble.why.contains("HTTP 401") && !trouble.why.contains("SPNEGO"), "{trouble:?}");
        let cut = answered(ok(&format!("{HEAD}012")), async |node| {
            let mut text = node.open("c", "a.log", None).await?;
            while text.next().await?.is_some() {}
            Ok(())
        });
        assert!(cut.await.0.unwrap_err().why.contains("ends before the end"));
    }

    #[test]
    fn plain_http_only_where_the_configuration_says_so() {
        let of = |https_only, tls| NodePolicy { https_only, tls, user: None };
        assert_eq!(of(false, Ok(None)).at("http://h:8042").unwrap().url(), "http://h:8042");
        assert!(of(false, Ok(None)).at("https://h:8042").unwrap_err().contains("yarn.http.policy"));
        assert!(of(true, Err("no truststore".into())).at("h:8042").unwrap_err().contains("no truststore"));
        assert!(of(false, Ok(None)).at("nonsense").unwrap_err().contains("nonsense"));
    }
}
