//! YARN messages and typed clients: ApplicationClient, ApplicationMaster, ContainerManagement.
