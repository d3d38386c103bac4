package dev.heddle.client;

import org.apache.flink.core.fs.BlockLocation;
import org.apache.flink.core.fs.FSDataInputStream;
import org.apache.flink.core.fs.FSDataOutputStream;
import org.apache.flink.core.fs.FileStatus;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystemKind;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.RecoverableWriter;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileAlreadyExistsException;
import java.util.List;

/**
 * One HDFS, as a file system of Flink. What a program does with it in {@code main()} takes effect, but
 * recoverable writers work only on the cluster.
 */
final class Hdfs extends FileSystem {
    private static final String SCHEME = "hdfs";

    private final Helper helper;
    private final String authority;
    /** The user's home directory; null until it is needed. */
    private Path home;

    Hdfs(Helper helper, URI uri) throws IOException {
        this.helper = helper;
        String named = uri.getAuthority();
        this.authority =
                named != null ? named : URI.create(about(helper, SCHEME + ":///").path("root").asText()).getAuthority();
    }

    private static JsonNode about(Helper helper, String url) throws IOException {
        return helper.callForOne("about", url);
    }

    /** The whole URL of a path, without escapes. */
    private String url(Path path) throws IOException {
        if (!path.isAbsolute()) {
            return url(new Path(home(), path));
        }
        String named = path.toUri().getAuthority();
        return SCHEME + "://" + (named != null ? named : authority) + path.getPath();
    }

    private synchronized Path home() throws IOException {
        if (home == null) {
            home = of(about(helper, SCHEME + "://" + authority + "/").path("home").asText());
        }
        return home;
    }

    private Path of(String path) {
        return new Path(SCHEME, authority, path);
    }

    private Entry entry(JsonNode object) {
        return new Entry(
                of(object.path("path").asText()),
                object.path("len").asLong(),
                object.path("dir").asBoolean(),
                object.path("modified").asLong(),
                (short) object.path("replication").asInt(),
                object.path("block").asLong());
    }

    @Override
    public URI getUri() {
        return URI.create(SCHEME + "://" + authority);
    }

    @Override
    public Path getWorkingDirectory() {
        return getHomeDirectory();
    }

    @Override
    public Path getHomeDirectory() {
        try {
            return home();
        } catch (IOException e) {
            throw new IllegalStateException("cannot find out the home directory on " + getUri(), e);
        }
    }

    @Override
    public FileStatus getFileStatus(Path path) throws IOException {
        return entry(helper.callForOne("stat", url(path)));
    }

    @Override
    public boolean exists(Path path) throws IOException {
        try {
            getFileStatus(path);
            return true;
        } catch (FileNotFoundException e) {
            return false;
        }
    }

    @Override
    public FileStatus[] listStatus(Path path) throws IOException {
        List<JsonNode> objects = helper.call("list", url(path));
        return objects.stream().map(this::entry).toArray(FileStatus[]::new);
    }

    /**
     * Returns one block without hosts. Hosts matter only when splits are assigned to TaskManagers, and that
     * happens on the cluster.
     */
    @Override
    public BlockLocation[] getFileBlockLocations(FileStatus file, long start, long len) {
        boolean none = start >= file.getLen() || len <= 0;
        return none ? new BlockLocation[0] : new BlockLocation[] {new Whole(file.getLen())};
    }

    @Override
    public FSDataInputStream open(Path path, int bufferSize) throws IOException {
        return open(path);
    }

    @Override
    public FSDataInputStream open(Path path) throws IOException {
        return new HdfsInput(helper, url(path));
    }

    @Override
    public FSDataOutputStream create(Path path, WriteMode mode) throws IOException {
        boolean replace = mode == WriteMode.OVERWRITE;
        if (!replace && exists(path)) {
            throw new FileAlreadyExistsException(url(path));
        }
        return new HdfsOutput(helper, url(path), replace);
    }

    @Override
    public RecoverableWriter createRecoverableWriter() {
        return new ClusterOnlyWriter();
    }

    @Override
    public boolean delete(Path path, boolean recursive) throws IOException {
        return done(helper.callForOne("delete", url(path), recursive ? "tree" : "one"));
    }

    @Override
    public boolean mkdirs(Path path) throws IOException {
        return done(helper.callForOne("mkdirs", url(path)));
    }

    @Override
    public boolean rename(Path from, Path to) throws IOException {
        return done(helper.callForOne("rename", url(from), url(to)));
    }

    private static boolean done(JsonNode object) {
        return object.path("done").asBoolean();
    }

    @Override
    public boolean isDistributedFS() {
        return true;
    }

    /** Flink 1.x requires this method, and Flink 2.x no longer has it. */
    @Override
    @SuppressWarnings("deprecation")
    public FileSystemKind getKind() {
        return FileSystemKind.FILE_SYSTEM;
    }

    private static final class Entry implements FileStatus {
        private final Path path;
        private final long len;
        private final boolean dir;
        private final long modified;
        private final short replication;
        private final long blockSize;

        Entry(Path path, long len, boolean dir, long modified, short replication, long blockSize) {
            this.path = path;
            this.len = len;
            this.dir = dir;
            this.modified = modified;
            this.replication = replication;
            this.blockSize = blockSize;
        }

        @Override
        public long getLen() {
            return len;
        }

        @Override
        public long getBlockSize() {
            // As in Flink's own file system for Hadoop, the size by which splits are cut is not larger than
            // the file.
            return Math.min(blockSize, len);
        }

        @Override
        public short getReplication() {
            return replication;
        }

        @Override
        public long getModificationTime() {
            return modified;
        }

        /** Returns 0, because the access time is not known. */
        @Override
        public long getAccessTime() {
            return 0;
        }

        @Override
        public boolean isDir() {
            return dir;
        }

        @Override
        public Path getPath() {
            return path;
        }

        @Override
        public String toString() {
            return path + " (" + (dir ? "directory" : len + " bytes") + ")";
        }
    }

    private static final class Whole implements BlockLocation {
        private final long length;

        Whole(long length) {
            this.length = length;
        }

        @Override
        public String[] getHosts() {
            return new String[0];
        }

        @Override
        public long getOffset() {
            return 0;
        }

        @Override
        public long getLength() {
            return length;
        }

        @Override
        public int compareTo(BlockLocation other) {
            return Long.compare(getOffset(), other.getOffset());
        }
    }
}
