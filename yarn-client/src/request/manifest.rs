//! Turns a request into the manifest of a cluster.

use flink_model::cluster_spec::ClusterSpec;
use flink_model::config::{Configuration, Origin};
use flink_model::options;
use flink_model::release::Release;
use flink_model::spec::ClusterMode;

use super::value::{Request, RequestedProgram};
use crate::context::Context;
use crate::deploy::{ClientProgram, ClusterManifest, Program, Purpose};
use crate::error::Failure;
use crate::jar::{only_jar, several_jars};
use crate::python_env;
use crate::setup::Setup;

/// The key with the further jars of a program.
const CLASS_PATHS: &str = "pipeline.classpaths";
/// The main classes of programs in Python, which need a jar of Flink's `opt`.
const PYTHON: [&str; 2] = [python_env::DRIVER, "org.apache.flink.client.python.PythonGatewayServer"];
/// The main class of a SQL script, which needs another one.
const SQL: &str = "org.apache.flink.table.runtime.application.SqlDriver";

impl Request {
    /// The cluster that is wanted. `setup` is that of [`Request::setup`], and `context` that of
    /// [`Request::context`]. It is a failure if the program is missing, or if an application has several
    /// jars.
    pub fn manifest(&self, setup: &Setup, context: &Context) -> Result<ClusterManifest, Failure> {
        let mut configuration = setup.configuration.clone();
        if let Some(name) = &self.name {
            set(&mut configuration, options::APPLICATION_NAME.key, name.clone());
        }
        for (key, paths) in
            [(options::SHIP_FILES.key, &self.ship_files), (options::SHIP_ARCHIVES.key, &self.ship_archives)]
        {
            if !paths.is_empty() {
                set(&mut configuration, key, listed(paths));
            }
        }
        self.size(&mut configuration, setup.release);
        let purpose = match (self.mode, &self.program) {
            (ClusterMode::Session, _) => Purpose::SESSION,
            (ClusterMode::PerJob, _) => {
                let user_jars = self.user_jars.clone();
                Purpose::PerJob { program: ClientProgram { user_jars, ..ClientProgram::default() } }
            }
            (ClusterMode::Application, program) => {
                let program =
                    program.as_ref().ok_or_else(|| Failure::new("the application has no program"))?;
                Purpose::Application { program: of_application(program, &mut configuration, context)? }
            }
        };
        let manifest = ClusterManifest::new(purpose).configured(setup, &configuration);
        // It was made for this setup, which need not be a distribution.
        Ok(ClusterManifest { flink_home: None, ..manifest })
    }

    /// Sets the sizes that the configuration alone would not give.
    fn size(&self, configuration: &mut Configuration, release: Release) {
        let Some(asked) = self.cluster_specification else { return };
        let given = match ClusterSpec::from(configuration, release) {
            Ok(spec) => {
                [spec.am_memory_mb(), spec.tm_memory_mb(), spec.slots.unsigned_abs().into()].map(Some)
            }
            // The sizes of the request may be what is missing.
            Err(_) => [None; 3],
        };
        let wanted = [
            (options::JM_PROCESS_SIZE.key, asked.master_memory_mb, "m"),
            (options::TM_PROCESS_SIZE.key, asked.task_manager_memory_mb, "m"),
            (options::TM_SLOTS.key, asked.slots_per_task_manager.into(), ""),
        ];
        for ((key, wanted, unit), given) in wanted.into_iter().zip(given) {
            if given != Some(wanted) {
                set(configuration, key, format!("{wanted}{unit}"));
            }
        }
    }
}

fn of_application(
    asked: &RequestedProgram,
    configuration: &mut Configuration,
    context: &Context,
) -> Result<Program, Failure> {
    let class = asked.main_class.as_deref();
    let python = class.is_some_and(|class| PYTHON.contains(&class));
    let jars: Vec<String> = asked.jar.iter().cloned().collect();
    // As in Flink's client, `main()` of Python programs and SQL scripts is in none of the jars.
    let (jar, libraries) = if python || class == Some(SQL) {
        several_jars(jars, configuration, context)?
    } else {
        (only_jar(jars, configuration, context)?, Vec::new())
    };
    if jar.is_none() && class.is_none() {
        return Err(Failure::new("the request names neither the jar nor the class of its program"));
    }
    if let Some(url) = asked.classpath.iter().find(|url| !url.contains(':')) {
        return Err(Failure::new(format!("{url:?} is no URL, and classpath of the request has URLs"))
            .hint("every node must be able to read what they name, for example file:///opt/lib/a.jar"));
    }
    if !asked.classpath.is_empty() {
        set(configuration, CLASS_PATHS, listed(&asked.classpath));
    }
    let opt_jar = match class {
        _ if python => Some(python_env::OPT_JAR),
        Some(SQL) => Some("flink-sql-gateway"),
        _ => None,
    };
    Ok(Program {
        jar,
        libraries,
        main_class: asked.main_class.clone(),
        args: asked.args.clone(),
        opt_jars: opt_jar.into_iter().map(str::to_owned).collect(),
        ..Program::default()
    })
}

fn set(configuration: &mut Configuration, key: &str, value: String) {
    configuration.set(key, value, Origin::Derived("the request".to_owned()));
}

/// A list as Flink's configuration has it: separated by semicolons, and with quotes around what has some.
fn listed(items: &[String]) -> String {
    let written = items.iter().map(|item| {
        if item.contains([';', '\'', '"']) || item.trim() != item {
            format!("'{}'", item.replace('\'', "''"))
        } else {
            item.clone()
        }
    });
    written.collect::<Vec<_>>().join(";")
}
