//! The containers that heddle-am has asked YARN for and does not have: as it tells them to the client of a
//! per-job cluster, and as they stand in its log. It tells those that have been open for some seconds.

use diagnosis::facts::OpenAsk;
use taskrunner::control::OpenRequests;

use crate::memory_kills::time;

/// Containers of one size, and what heddle-am says about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenRequest {
    pub(super) ask: OpenAsk,
    pub(super) words: String,
}

/// Those of a message of heddle-am.
pub(super) fn of_message(message: &OpenRequests) -> Vec<OpenRequest> {
    let requests = message.requests.iter().map(|request| OpenRequest {
        ask: OpenAsk {
            count: request.count,
            memory_mb: request.memory_mb,
            vcores: request.vcores,
            label: label(&request.node_label),
            since: Some(request.since_unix_ms).filter(|since| *since > 0),
            ..OpenAsk::default()
        },
        words: request.text.clone(),
    });
    requests.collect()
}

fn label(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// Those that are open at the end of heddle-am's log.
pub(super) fn of_log(log: &str) -> Vec<OpenRequest> {
    let mut open: Vec<OpenRequest> = Vec::new();
    for line in log.lines() {
        let begins = line.split_once(": containers wait ");
        let ends = line.split_once(": containers no longer wait ");
        let Some((_, fields)) = begins.or(ends) else { continue };
        let Some(request) = of_fields(line, fields) else { continue };
        let size = |ask: &OpenAsk| (ask.memory_mb, ask.vcores, ask.label.clone());
        open.retain(|known| size(&known.ask) != size(&request.ask));
        if begins.is_some() {
            open.push(request);
        }
    }
    open
}

/// The request that the fields of a line tell. A line about containers that have come has no number of them.
fn of_fields(line: &str, fields: &str) -> Option<OpenRequest> {
    let (fields, words) = fields.split_once(" why=\"").unwrap_or((fields, ""));
    let value = |name: &str| fields.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    let open_ms = value("open_s")?.parse::<u64>().ok()?.saturating_mul(1000);
    let told = u64::try_from(time(line)?.timestamp_millis()).ok()?;
    let ask = OpenAsk {
        count: value("count").and_then(|count| count.parse().ok()).unwrap_or_default(),
        memory_mb: value("memory_mb")?.parse().ok()?,
        vcores: value("vcores")?.parse().ok()?,
        label: value("label").and_then(|text| label(text.trim_matches('"'))),
        since: Some(told.saturating_sub(open_ms)),
        ..OpenAsk::default()
    };
    let words = words.strip_suffix('"').unwrap_or(words).replace("\\\"", "\"");
    Some(OpenRequest { ask, words })
}

#[cfg(test)]
mod tests {
    use taskrunner::control;

    use super::*;

    const LOG: &str = "2026-11-28T14:57:00.5Z  WARN app_master::am::log: containers wait count=3 memory_mb=1024 vcores=1 label=\"\" \
        open_s=10 why=\"3 containers of \\\"1024 MB\\\" wait\"\n\
        2026-11-28T14:57:00.6Z  WARN app_master::am::log: containers wait count=1 memory_mb=2048 vcores=2 label=\"gpu\" open_s=10 why=\"x\"\n\
        not a line: containers wait count=1\n\
        2026-11-28T14:57:50.5Z  WARN app_master::am::log: containers wait count=2 memory_mb=1024 vcores=1 label=\"\" open_s=60 why=\"y\"\n";

    fn ask(count: u32, memory_mb: u64, vcores: u32, label: Option<&str>, since: u64) -> OpenAsk {
        let label = label.map(str::to_owned);
        OpenAsk { count, memory_mb, vcores, label, since: Some(since), ..OpenAsk::default() }
    }

    #[test]
    fn the_log_tells_what_is_open_at_its_end() {
        let begin = 1_795_877_810_500;
        let first = of_log(LOG.lines().next().unwrap());
        assert_eq!(
            first,
            [OpenRequest {
                ask: ask(3, 1024, 1, None, begin),
                words: "3 containers of \"1024 MB\" wait".into()
            }]
        );
        let asks = |log: &str| of_log(log).into_iter().map(|request| request.ask).collect::<Vec<_>>();
        assert_eq!(asks(LOG), [ask(1, 2048, 2, Some("gpu"), begin + 100), ask(2, 1024, 1, None, begin)]);
        let came = "2026-11-28T14:58:00Z  INFO app_master::am::log: containers no longer wait memory_mb=1024 vcores=1 label=\"\" \
            open_s=69 granted=true\n";
        assert_eq!(asks(&format!("{LOG}{came}")), [ask(1, 2048, 2, Some("gpu"), begin + 100)]);
        assert_eq!(of_log(""), []);
    }

    #[test]
    fn a_message_tells_the_same() {
        let request = control::OpenRequest {
            count: 2,
            memory_mb: 1024,
            vcores: 1,
            node_label: "gpu".into(),
            since_unix_ms: 7,
            text: "x".into(),
        };
        let found = of_message(&OpenRequests { requests: vec![request] });
        assert_eq!(found, [OpenRequest { ask: ask(2, 1024, 1, Some("gpu"), 7), words: "x".into() }]);
    }
}
