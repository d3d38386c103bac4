//! Shows applications to people: a table of several, or all that is known of one. It only makes text, and
//! does no I/O.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use yarn_client::diagnostics;
use yarn_client::identity::{GivenToken, Identity};
use yarn_client::ps::{Application, By, Job, Tokens};
use yarn_client::units::count;

use super::{clean, table};

/// The client that has submitted an application, in words.
fn client(by: By) -> &'static str {
    match by {
        By::Heddle => "heddle",
        By::Flink => "flink",
        By::Other => "other",
    }
}

/// The time from the submission of an application until its end, or until now.
fn duration(application: &Application, now: SystemTime) -> Option<Duration> {
    let at = |ms: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(ms);
    let until = application.ended_ms.map_or(now, at);
    Some(until.duration_since(at(application.submitted_ms?)).unwrap_or_default())
}

/// Why an application waits or has not succeeded, on one line.
fn reason(application: &Application) -> Option<String> {
    if application.forgotten {
        let cause = application.cause.as_deref().map(|cause| format!(": {}", clean::line(cause)));
        return Some(format!("YARN has forgotten it{}", cause.unwrap_or_default()));
    }
    let diagnostics = application.diagnostics.as_deref()?;
    let well = application.final_status.as_deref() == Some("SUCCEEDED");
    let line = match application.ended_ms {
        Some(_) if well => return None,
        Some(_) => diagnostics::failure_extract(diagnostics).into_iter().next()?,
        None => diagnostics::waiting_reason(diagnostics),
    };
    Some(line).filter(|line| !line.is_empty())
}

/// Why the jobs of an application are not known, on one line.
fn jobs_unknown(application: &Application) -> Option<String> {
    Some(format!("jobs not known: {}", clean::line(application.jobs_error.as_deref()?)))
}

/// The table of applications. It says why the jobs of one are not known; only with `reasons` also why each
/// of them waits or has failed.
pub(crate) fn render(list: &[Application], reasons: bool, now: SystemTime) -> String {
    let mut header = vec!["APPLICATION", "NAME", "BY", "USER", "QUEUE", "STATE", "JOBS", "DURATION"];
    let with_tokens = list.iter().any(|application| application.tokens.is_some());
    header.extend(with_tokens.then_some("TOKENS"));
    header.push("WEB");
    let column = reasons || list.iter().any(|application| application.jobs_error.is_some());
    header.extend(column.then_some("REASON"));
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let row = |a: &Application| {
        let mut row = vec![
            a.application.clone(),
            a.name.clone(),
            client(a.by).to_owned(),
            a.user.clone(),
            or_dash(Some(a.queue.clone()).filter(|queue| !queue.is_empty())),
            state(a),
            counts(a),
            or_dash(duration(a, now).map(table::span)),
        ];
        row.extend(with_tokens.then(|| or_dash(a.tokens.as_ref().map(|tokens| tokens_left(tokens, now)))));
        row.push(or_dash(a.web_interface.clone()));
        let asked = || reason(a).filter(|_| reasons);
        row.extend(column.then(|| or_dash(jobs_unknown(a).or_else(asked))));
        row
    };
    table::render(&header, &[], list.iter().map(row))
}

/// How long the tokens of an application live, in a few words: `replaced` if others come in time.
fn tokens_left(tokens: &Tokens, now: SystemTime) -> String {
    let left = |end: u64| (SystemTime::UNIX_EPOCH + Duration::from_millis(end)).duration_since(now);
    match tokens.ends_ms.map(left) {
        _ if tokens.replaced => "replaced".into(),
        Some(Ok(left)) => format!("{} left", table::span(left)),
        Some(Err(_)) => "ended".into(),
        None => "-".into(),
    }
}

/// All that is known of the tokens of an application.
fn tokens_told(tokens: &Tokens, now: SystemTime) -> String {
    let ends = tokens.ends.as_deref().unwrap_or("a time that is not known");
    if tokens.replaced {
        return "others take their place before they end, by the keytab of the JobManager".into();
    }
    match tokens_left(tokens, now).as_str() {
        "ended" => format!("the first has ended at {ends}, and nobody replaces it"),
        left => format!("the first ends at the latest at {ends} ({left}), and nobody replaces it"),
    }
}

/// All that is known of one application, for people.
pub(crate) fn describe(a: &Application, now: SystemTime) -> String {
    let mut text = format!("{}\n", a.application);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
            let lines: Vec<String> = value.lines().map(clean::line).collect();
            text.push_str(&format!("  {name:<14} {}\n", lines.join(&format!("\n{:17}", ""))));
        }
    };
    add("name", Some(a.name.clone()));
    add("type", Some(format!("{}, submitted by {}", a.application_type, client(a.by))));
    add("user", Some(a.user.clone()));
    add("queue", Some(a.queue.clone()));
    add("state", Some(state(a)));
    add("submitted", a.submitted.clone());
    add("ended", a.ended.clone());
    add("duration", duration(a, now).map(table::span));
    add("tokens", a.tokens.as_ref().map(|tokens| tokens_told(tokens, now)));
    add("web interface", a.web_interface.clone());
    add("tags", Some(a.tags.join(", ")));
    let diagnostics = a.diagnostics.as_deref().map(|text| match a.ended_ms {
        Some(_) => diagnostics::failure_extract(text).join("\n"),
        None => diagnostics::waiting_reason(text),
    });
    add("YARN says", diagnostics);
    let job = |job: &Job| format!("{} {} {}", job.id, job.state, clean::line(&job.name));
    let jobs = a.jobs.as_deref().map(|jobs| match jobs {
        [] => "none".into(),
        jobs => jobs.iter().map(job).collect::<Vec<_>>().join("\n"),
    });
    add("jobs", jobs.or_else(|| Some(format!("not known: {}", clean::line(a.jobs_error.as_deref()?)))));
    text.truncate(text.trim_end().len());
    text
}

/// As whom one is logged in.
fn logged_in(identity: &Identity) -> String {
    let Identity { principal, acting, name, via, .. } = identity;
    let by = acting.as_deref().map(|acting| format!(", for whom {acting} acts,")).unwrap_or_default();
    format!("logged in as {principal} ({name}){by} {via}")
}

/// As whom one is logged in, and until when tokens that were given to this process live, on one line.
pub(crate) fn identity_in_short(identity: &Identity) -> String {
    let mut line = logged_in(identity);
    if !identity.tokens.is_empty() {
        line.push_str(&format!("; {} given", count(identity.tokens.len(), "token")));
        let ends = identity.first_end().map(|end| format!(", the first ends at the latest at {end}"));
        line.push_str(&ends.unwrap_or_default());
    }
    clean::line(&line)
}

/// As whom one is logged in, and which tokens were given to this process.
pub(crate) fn identity(identity: &Identity) -> String {
    let (first, tokens) = (logged_in(identity), &identity.tokens);
    let token = |token: &GivenToken| {
        let of = token.owner.as_deref().map(|owner| format!(" of {owner}")).unwrap_or_default();
        let ends = token.ends.as_deref().map(|ends| format!(", ends at the latest at {ends}"));
        format!("token {}{of} for {}{}", token.kind, token.service, ends.unwrap_or_default())
    };
    let lines: Vec<String> = std::iter::once(first).chain(tokens.iter().map(token)).collect();
    lines.iter().map(|line| clean::line(line)).collect::<Vec<_>>().join("\n")
}

/// The state, with the final status if that says more.
fn state(application: &Application) -> String {
    match &application.final_status {
        Some(status) if *status != application.state => format!("{} ({status})", application.state),
        _ => application.state.clone(),
    }
}

/// How many jobs are in which state, such as `2 RUNNING, 1 FINISHED`. Jobs that have ended come last.
fn counts(application: &Application) -> String {
    let Some(jobs) = &application.jobs else {
        return if application.jobs_error.is_some() { "not known" } else { "-" }.into();
    };
    let ended = |state: &str| matches!(state, "FINISHED" | "FAILED" | "CANCELED");
    let mut counts: BTreeMap<(bool, &str), usize> = BTreeMap::new();
    for job in jobs {
        *counts.entry((ended(&job.state), &job.state)).or_default() += 1;
    }
    let list: Vec<String> = counts.iter().map(|((_, state), count)| format!("{count} {state}")).collect();
    if list.is_empty() { "none".into() } else { list.join(", ") }
}

#[cfg(test)]
#[path = "applications_tests.rs"]
mod tests;
