//! Finds a running session by its name (`heddle.session`), so that a command needs neither its id nor the
//! properties file.

use yarn_api::records::{ApplicationId, ApplicationReport};

use crate::error::{CauseClass, Failure, yarn_failure};
use crate::hadoop::Hadoop;
use crate::ps::{Filter, application_filter, by};

/// How an application is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By its id.
    Id(ApplicationId),
    /// By its name. It is a session of the calling user that has not ended.
    Session(String),
}

impl Named {
    /// The id of the application. For a name the ResourceManager is asked. It is a failure if none of the
    /// user's applications that run has the name, or several have it.
    pub async fn id(&self, hadoop: &Hadoop) -> Result<ApplicationId, Failure> {
        match self {
            Self::Id(id) => Ok(*id),
            Self::Session(name) => {
                let filter = application_filter(&Filter::default(), hadoop);
                let reports = hadoop.yarn()?.applications(&filter).await.map_err(|e| yarn_failure(&e))?;
                one_of(&reports, name, hadoop.login.user().short_name())
            }
        }
    }
}

/// The only application with the name.
fn one_of(reports: &[ApplicationReport], name: &str, user: &str) -> Result<ApplicationId, Failure> {
    let is_wanted =
        |report: &&ApplicationReport| report.name == name && !report.state.is_final() && by(report).is_some();
    let mut found: Vec<ApplicationId> = reports.iter().filter(is_wanted).map(|report| report.id).collect();
    found.sort_unstable();
    match found.as_slice() {
        [id] => Ok(*id),
        [] => Err(Failure::new(format!("no session of {user} that runs on YARN is named {name:?}"))
            .of_class(CauseClass::NotFound)
            .hint("`heddle ps` lists what runs, with names")
            .hint(format!("`yarn-session.sh -nm {name:?} -d` starts a session with this name"))),
        several => {
            let ids: Vec<String> = several.iter().map(ToString::to_string).collect();
            let what = format!("several applications of {user} are named {name:?}: {}", ids.join(", "));
            Err(Failure::configuration(what)
                .hint("name one of them with -Dyarn.application.id=application_… (or -yid)"))
        }
    }
}

#[cfg(test)]
mod tests {
    use yarn_api::records::ApplicationState;

    use super::*;
    use crate::deploy::report_in_state;

    fn application(number: u32, name: &str, state: ApplicationState) -> ApplicationReport {
        ApplicationReport {
            id: format!("application_1_{number:04}").parse().unwrap(),
            name: name.to_owned(),
            application_type: "Apache Flink".to_owned(),
            ..report_in_state(state, "")
        }
    }

    #[test]
    fn a_name_stands_for_one_application_that_has_not_ended() {
        let (running, accepted) = (ApplicationState::Running, ApplicationState::Accepted);
        let spark = ApplicationReport { application_type: "SPARK".into(), ..application(5, "etl", running) };
        let mut reports = vec![
            application(1, "etl", ApplicationState::Finished),
            application(2, "etl", accepted),
            application(3, "reports", running),
            spark,
        ];
        let found = |reports: &[ApplicationReport], name| one_of(reports, name, "ann");
        assert_eq!(found(&reports, "etl").unwrap().to_string(), "application_1_0002");
        let none = found(&reports, "ETL").unwrap_err();
        assert_eq!(none.to_string(), "no session of ann that runs on YARN is named \"ETL\"");
        assert_eq!(none.class(), CauseClass::NotFound);
        reports.push(application(4, "etl", running));
        let several = found(&reports, "etl").unwrap_err();
        assert!(
            several.to_string().ends_with("\"etl\": application_1_0002, application_1_0004"),
            "{several}"
        );
        assert!(several.hints()[0].contains("-yid"));
    }
}
