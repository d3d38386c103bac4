package dev.heddle.client;

import org.apache.flink.core.fs.FSDataOutputStream;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Collects the content of a file on this machine, and writes the file to HDFS when it is closed. If the
 * program ends before, HDFS has no part of the file.
 */
final class HdfsOutput extends FSDataOutputStream {
    private final Helper helper;
    private final String url;
    private final boolean replace;
    private final Path collected;
    private final OutputStream out;
    private long position;
    private boolean closed;

    HdfsOutput(Helper helper, String url, boolean replace) throws IOException {
        this.helper = helper;
        this.url = url;
        this.replace = replace;
        this.collected = Files.createTempFile("heddle-", ".part");
        collected.toFile().deleteOnExit();
        this.out = new BufferedOutputStream(Files.newOutputStream(collected));
    }

    @Override
    public void write(int b) throws IOException {
        out.write(b);
        position++;
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        out.write(bytes, offset, length);
        position += length;
    }

    @Override
    public long getPos() {
        return position;
    }

    @Override
    public void flush() throws IOException {
        out.flush();
    }

    @Override
    public void sync() throws IOException {
        throw new IOException(
                "cannot sync " + url + ": in a program's main() on the client, a file gets to HDFS when it is closed");
    }

    @Override
    public void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        try {
            out.close();
            helper.callForOne("put", url, collected.toString(), replace ? "replace" : "new");
        } finally {
            Files.deleteIfExists(collected);
        }
    }
}
