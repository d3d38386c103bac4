//! Fetches the delegation tokens of an application just before it is submitted, and cancels them if YARN does
//! not get it. YARN itself cancels the tokens of an application that it has, after the end.

use std::collections::BTreeSet;

use futures::future;
use hadoop_rpc::{Credentials, Token};
use yarn_api::ApplicationClient;

use super::services::Services;
use super::tokens::{Security, TokenFor, is_for_others};
use crate::error::{Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::report::Report;

/// Tokens that were fetched for an application.
#[derive(Debug, Clone)]
pub(crate) struct Fetched {
    hadoop: Hadoop,
    yarn: ApplicationClient,
    tokens: Vec<Token>,
}

impl Fetched {
    /// None yet, of these services.
    pub(crate) fn none_of(services: &Services) -> Self {
        Self { hadoop: services.hadoop.clone(), yarn: services.yarn.clone(), tokens: Vec::new() }
    }

    pub(crate) fn add(&mut self, token: Token) {
        self.tokens.push(token);
    }

    /// Cancels all of them. A token that cannot be cancelled ends by itself.
    pub(crate) async fn cancel(&self) {
        let each: Vec<_> = self.tokens.iter().map(|token| self.cancel_one(token)).collect();
        future::join_all(each).await;
    }

    async fn cancel_one(&self, token: &Token) {
        let done = if token.kind == hadoop_fs::HDFS_TOKEN {
            let Hadoop { conf, login, .. } = &self.hadoop;
            hadoop_fs::cancel_token(conf, login, token).await.map_err(|e| e.to_string())
        } else {
            self.yarn.cancel_delegation_token(token).await.map_err(|e| e.to_string())
        };
        if let Err(error) = done {
            tracing::debug!(%error, ?token, "not cancelled");
        }
    }
}

/// Fetches all tokens that the application gets, and adds those of the login. `note` hears of each token as
/// soon as there is one. It is a failure if a token cannot be fetched for the ResourceManager, or for a file
/// system that the application needs.
pub(crate) async fn fetch(
    security: &Security,
    services: &Services,
    note: &(dyn Fn(Token) + Send + Sync),
    report: &dyn Report,
) -> Result<Credentials, Failure> {
    let mut credentials = Credentials::default();
    let given = services.hadoop.login.tokens().get();
    let given = given.tokens.iter().filter(|(_, token)| is_for_others(&token.kind));
    credentials.tokens.extend(given.map(|(alias, token)| (alias.clone(), token.clone())));

    let renewer = security.renewer.as_deref().unwrap_or_default();
    // The futures are made before they run; otherwise the compiler could not prove that the whole future is
    // `Send`.
    let of_file_systems: Vec<_> = security
        .file_systems
        .iter()
        .map(|wanted| of_file_system(wanted, renewer, services, note, report))
        .collect();
    let of_resource_manager = of_resource_manager(security.resource_manager.as_deref(), services, note);
    // A token that is on its way when another one fails is waited for, so that it can be cancelled.
    let (of_file_systems, of_resource_manager) =
        future::join(future::join_all(of_file_systems), of_resource_manager).await;
    let mut services_with_one = BTreeSet::new();
    let mut surplus = Fetched::none_of(services);
    for token in of_file_systems.into_iter().chain([of_resource_manager]) {
        let Some(token) = token? else { continue };
        // Two names can lead to the same NameNode.
        if services_with_one.insert(token.service.clone()) {
            // One that was given for the same server, perhaps under another alias, would stand beside it.
            credentials.remove_like(&token);
            credentials.add_token(token);
        } else {
            surplus.add(token);
        }
    }
    surplus.cancel().await;
    Ok(credentials)
}

/// The token of one file system, if it gives tokens.
async fn of_file_system(
    wanted: &TokenFor,
    renewer: &str,
    services: &Services,
    note: &(dyn Fn(Token) + Send + Sync),
    report: &dyn Report,
) -> Result<Option<Token>, Failure> {
    let Hadoop { conf, login, .. } = &services.hadoop;
    match hadoop_fs::fetch_token(conf, login, Some(&wanted.url), renewer).await {
        Ok(None) => {
            tracing::debug!(url = %wanted.url, "there are no delegation tokens");
            Ok(None)
        }
        Ok(Some(token)) => {
            tracing::debug!(url = %wanted.url, ?token, renewer, "fetched");
            note(token.clone());
            Ok(Some(token))
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
    note: &(dyn Fn(Token) + Send + Sync),
) -> Result<Option<Token>, Failure> {
    let Some(renewer) = renewer else { return Ok(None) };
    let token = services.yarn.delegation_token(renewer).await.map_err(|e| yarn_failure(&e))?;
    tracing::debug!(?token, renewer, "fetched");
    note(token.clone());
    Ok(Some(token))
}
