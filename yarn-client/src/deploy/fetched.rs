//! Fetches the delegation tokens of an application just before it is submitted. The run holds them until YARN
//! may have the application, and cancels them if YARN does not get it.

use std::collections::BTreeSet;

use futures::future;
use hadoop_rpc::{Credentials, Token};

use super::services::Services;
use super::tokens::{Security, TokenFor, is_for_others};
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::held_tokens::HeldTokens;
use crate::report::Report;

/// The tokens that an application gets.
#[derive(Debug, Default)]
pub(crate) struct ApplicationTokens {
    pub(crate) credentials: Credentials,
    /// Whether some of them were given to this process. YARN cancels all tokens of an application at its end,
    /// or none, and whoever has given some may need them for more than this application. So it is to cancel
    /// none then. Those that were fetched end nevertheless, because nobody renews them any more.
    pub(crate) has_given: bool,
}

/// Fetches all tokens that the application gets, and adds those of the login. `held` gets each token as soon
/// as there is one. It is a failure if a token cannot be fetched for the ResourceManager, or for a file
/// system that the application needs.
pub(crate) async fn fetch(
    security: &Security,
    services: &Services,
    held: &HeldTokens,
    report: &dyn Report,
) -> Result<ApplicationTokens, Failure> {
    let mut credentials = Credentials::default();
    let given = services.hadoop.login.tokens().get();
    let for_others = given.tokens.iter().filter(|(_, token)| is_for_others(&token.kind));
    credentials.tokens.extend(for_others.map(|(alias, token)| (alias.clone(), token.clone())));

    let renewer = security.renewer.as_deref().unwrap_or_default();
    // The futures are made before they run; otherwise the compiler could not prove that the whole future is
    // `Send`.
    let of_file_systems: Vec<_> = security
        .file_systems
        .iter()
        .map(|wanted| of_file_system(wanted, renewer, services, held, report))
        .collect();
    let of_resource_manager = of_resource_manager(security.resource_manager.as_deref(), services, held);
    let (of_file_systems, of_resource_manager) =
        future::join(future::join_all(of_file_systems), of_resource_manager).await;
    let mut services_with_one = BTreeSet::new();
    let mut surplus = Vec::new();
    for token in of_file_systems.into_iter().chain([of_resource_manager]) {
        let Some(token) = token? else { continue };
        // Two names can lead to the same NameNode.
        if services_with_one.insert(token.service.clone()) {
            // One that was given for the same server, perhaps under another alias, would stand beside it.
            credentials.remove_like(&token);
            credentials.add_token(token);
        } else {
            surplus.push(token);
        }
    }
    let cancelled: Vec<_> = surplus.iter().map(|token| held.cancel_one(token)).collect();
    future::join_all(cancelled).await;
    let has_given = has_one_of(&credentials, &given);
    Ok(ApplicationTokens { credentials, has_given })
}

/// Whether some of the tokens are among `others`.
fn has_one_of(credentials: &Credentials, others: &Credentials) -> bool {
    credentials.tokens.values().any(|token| others.tokens.values().any(|other| other == token))
}

/// The token of one file system, if it gives tokens.
async fn of_file_system(
    wanted: &TokenFor,
    renewer: &str,
    services: &Services,
    held: &HeldTokens,
    report: &dyn Report,
) -> Result<Option<Token>, Failure> {
    let Hadoop { conf, login, .. } = services.hadoop.clone();
    let (url, renewer) = (wanted.url.clone(), renewer.to_owned());
    let fetch = async move { hadoop_fs::fetch_token(&conf, &login, Some(&url), &renewer).await };
    match held.fetch(fetch).await {
        Ok(fetched) => {
            tracing::debug!(url = %wanted.url, ?fetched, "asked for a delegation token");
            Ok(fetched)
        }
        Err(error) if wanted.needed => Err(Failure::fs(&error)),
        Err(error) => {
            let purposes = wanted.purposes.join(", ");
            report.warn(&format!("no delegation token for {} ({purposes}): {error}", wanted.url));
            Ok(None)
        }
    }
}

/// The token with which the application may call the ResourceManager as its user.
async fn of_resource_manager(
    renewer: Option<&str>,
    services: &Services,
    held: &HeldTokens,
) -> Result<Option<Token>, Failure> {
    let Some(renewer) = renewer.map(str::to_owned) else { return Ok(None) };
    let yarn = services.yarn.clone();
    let fetch = async move { yarn.delegation_token(&renewer).await.map(Some) };
    let fetched = held.fetch(fetch).await.map_err(|e| yarn_failure(&e))?;
    tracing::debug!(?fetched, "asked for a delegation token");
    Ok(fetched)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(kind: &str, service: &str, password: &str) -> Token {
        Token { kind: kind.into(), service: service.into(), identifier: vec![1], password: password.into() }
    }

    #[test]
    fn a_given_token_counts_until_a_fetched_one_takes_its_place() {
        let mut given = Credentials::default();
        given.add_token(token(hadoop_fs::HDFS_TOKEN, "nn:8020", "given"));
        let mut credentials = given.clone();
        assert!(has_one_of(&credentials, &given));
        let fetched = token(hadoop_fs::HDFS_TOKEN, "nn:8020", "fetched");
        credentials.remove_like(&fetched);
        credentials.add_token(fetched);
        assert!(!has_one_of(&credentials, &given), "YARN cancels what only this application has");
        let other = token("HBASE_AUTH_TOKEN", "cluster", "given");
        given.add_token(other.clone());
        credentials.add_token(other);
        assert!(has_one_of(&credentials, &given));
    }
}
