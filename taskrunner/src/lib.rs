//! heddle-taskrunner: supervises a JVM in a container; the control protocol with the ApplicationMaster.
