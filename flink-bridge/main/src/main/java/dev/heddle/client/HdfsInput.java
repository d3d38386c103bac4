package dev.heddle.client;

import org.apache.flink.core.fs.FSDataInputStream;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;

/**
 * Reads a file that a process writes to its standard output. A jump to another position usually starts
 * another process. As Flink's other streams, it must not be used by several threads at once.
 */
final class HdfsInput extends FSDataInputStream {
    /**
     * The longest jump forward, in bytes, for which the bytes in between are read, because that is cheaper
     * than to start another process.
     */
    private static final long READ_OVER = 1 << 20;

    private final Helper helper;
    private final String url;
    /** The position of the byte that the caller reads next. */
    private long position;
    /** The process that writes the file; null while none is needed. */
    private Process process;
    private InputStream bytes;
    private boolean closed;

    /** Starts to read at once, so that opening a file that does not exist fails. */
    HdfsInput(Helper helper, String url) throws IOException {
        this.helper = helper;
        this.url = url;
        start();
        bytes.mark(1);
        if (bytes.read() < 0) {
            end();
        } else {
            bytes.reset();
        }
    }

    private void start() throws IOException {
        process = helper.start("cat", url, Long.toString(position));
        bytes = new BufferedInputStream(process.getInputStream(), 64 << 10);
    }

    /** Handles the end of the process's output, which is the end of the file or a failure. */
    private void end() throws IOException {
        try {
            Helper.check(process);
        } catch (IOException e) {
            stop();
            throw e;
        }
    }

    private void stop() {
        if (process != null) {
            process.destroy();
            process = null;
            bytes = null;
        }
    }

    private InputStream stream() throws IOException {
        if (closed) {
            throw new IOException(url + " is closed");
        }
        if (process == null) {
            start();
        }
        return bytes;
    }

    @Override
    public void seek(long target) throws IOException {
        if (target < 0) {
            throw new EOFException("cannot go to byte " + target + " of " + url);
        }
        if (process != null && target > position && target - position <= READ_OVER) {
            while (position < target && skip(target - position) > 0) {
                // The condition skips to the target.
            }
        }
        if (target != position) {
            stop();
            position = target;
        }
    }

    @Override
    public long getPos() {
        return position;
    }

    @Override
    public int read() throws IOException {
        int next = stream().read();
        if (next < 0) {
            end();
        } else {
            position++;
        }
        return next;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
        int count = stream().read(buffer, offset, length);
        if (count < 0) {
            end();
        } else {
            position += count;
        }
        return count;
    }

    @Override
    public long skip(long count) throws IOException {
        long skipped = stream().skip(count);
        position += skipped;
        return skipped;
    }

    @Override
    public int available() throws IOException {
        return stream().available();
    }

    @Override
    public void close() {
        closed = true;
        stop();
    }
}
