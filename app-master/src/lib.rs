//! heddle-am: the ApplicationMaster that hosts the JobManager.
