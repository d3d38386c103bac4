"""What a cluster consists of.

A cluster is a list of parts. A part brings daemons, settings for clients and daemons, and what has to be done
around the start of them. `parts_of` chooses the parts by the options of the cluster; whatever a cluster can
have besides (a KDC, for example) is a part more, or an option of one of these.
"""

from ..configuration import Sites
from .base import START_SECONDS, Part
from .hdfs import Hdfs
from .kerberos import Kerberos
from .users import ContainerUsers
from .yarn import NodeLabel, Recovery, ResourceTypes, Yarn
from .zookeeper import ZooKeeper

__all__ = ["START_SECONDS", "Hdfs", "Kerberos", "Yarn", "parts_of"]


class Settings(Part):
    """Whatever the user sets. It is the last part, so that it wins."""

    def __init__(self, settings):
        self.sites = Sites.by_key(settings)

    def everywhere(self, cluster):
        return Sites(core=self.sites.core, hdfs=self.sites.hdfs, yarn=self.sites.yarn)

    def of_daemons(self, cluster):
        return Sites(scheduler=self.sites.scheduler)


def parts_of(options):
    two = options.resourcemanagers > 1 or options.namenodes > 1
    # What comes first is started first: daemons need the KDC to start.
    found = [Kerberos(options.protection, options.token_renewal, options.token_lifetime)] if options.kerberos else []
    found += [ZooKeeper()] if options.zookeeper or two else []
    found += [Hdfs(options.namenodes), Yarn(options.nodes, options.resourcemanagers)]
    if options.recovery or options.kerberos or options.resourcemanagers > 1:
        # A standby ResourceManager that knows nothing of the applications is of no use to them.
        found.append(Recovery(options.resourcemanagers > 1))
    if options.node_label:
        found.append(NodeLabel(options.node_label))
    if options.resource_types:
        found.append(ResourceTypes(options.resource_types))
    if options.container_users:
        found.append(ContainerUsers(options.container_users))
    found.append(Settings(options.set))
    return found
