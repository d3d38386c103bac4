package dev.heddle.client;

import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.RecoverableFsDataOutputStream;
import org.apache.flink.core.fs.RecoverableWriter;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * Takes the place, on the client, of the recoverable writer that the cluster has. File sinks ask for its
 * serializers while a program builds its job, but use them only on the cluster, where they are Hadoop's. So
 * no object of these classes may become part of a job.
 */
final class ClusterOnlyWriter implements RecoverableWriter {
    private static UnsupportedOperationException clusterOnly(String what) {
        return new UnsupportedOperationException(
                what
                        + " on the client: this happens on the cluster, where Hadoop's file system is (or set HADOOP_CLASSPATH to"
                        + " have it here too)");
    }

    @Override
    public RecoverableFsDataOutputStream open(Path path) {
        throw clusterOnly("cannot open a recoverable stream to " + path);
    }

    @Override
    public RecoverableFsDataOutputStream recover(ResumeRecoverable resumable) {
        throw clusterOnly("cannot recover a stream");
    }

    @Override
    public RecoverableFsDataOutputStream.Committer recoverForCommit(CommitRecoverable resumable) {
        throw clusterOnly("cannot commit a stream");
    }

    @Override
    public boolean requiresCleanupOfRecoverableState() {
        return false;
    }

    @Override
    public boolean cleanupRecoverableState(ResumeRecoverable resumable) {
        return false;
    }

    @Override
    public SimpleVersionedSerializer<CommitRecoverable> getCommitRecoverableSerializer() {
        return new ClusterOnlySerializer<>();
    }

    @Override
    public SimpleVersionedSerializer<ResumeRecoverable> getResumeRecoverableSerializer() {
        return new ClusterOnlySerializer<>();
    }

    @Override
    public boolean supportsResume() {
        return true;
    }

    private static final class ClusterOnlySerializer<T> implements SimpleVersionedSerializer<T> {
        /** The same version as that of Hadoop's serializers. */
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(T recoverable) {
            throw clusterOnly("cannot serialize the state of a stream");
        }

        @Override
        public T deserialize(int version, byte[] serialized) {
            throw clusterOnly("cannot deserialize the state of a stream");
        }
    }
}
