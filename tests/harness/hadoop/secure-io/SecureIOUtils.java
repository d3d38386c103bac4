package org.apache.hadoop.io;

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Set;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/**
 * Stands in for the class of this name in daemons of a cluster with Kerberos. Hadoop's own needs Hadoop's native
 * library there, which is not among Maven's artifacts, and without it a NodeManager ends when it reads the first
 * log of a container. This one asks Java for the owner of a file. Between that question and the opening of the
 * file another file could take its place, which does not matter in a test. Files of the daemon's own user are
 * accepted, too, because containers run as that user unless the cluster has been told otherwise.
 */
public class SecureIOUtils {

    private SecureIOUtils() {}

    /** Opens a file of this owner for reading and, depending on the mode, for writing. */
    public static RandomAccessFile openForRandomRead(File file, String mode, String owner, String group)
            throws IOException {
        check(file, owner);
        return new RandomAccessFile(file, mode);
    }

    /** Opens a file of this owner by Hadoop's local file system. */
    public static FSDataInputStream openFSDataInputStream(File file, String owner, String group)
            throws IOException {
        check(file, owner);
        return FileSystem.getLocal(new Configuration()).getRaw().open(new Path(file.getAbsolutePath()));
    }

    /** Opens a file of this owner for reading. */
    public static FileInputStream openForRead(File file, String owner, String group) throws IOException {
        check(file, owner);
        return new FileInputStream(file);
    }

    /** Makes a file with this mode that is not there yet. */
    public static FileOutputStream createForWrite(File file, int mode) throws IOException {
        Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
        PosixFilePermission[] all = PosixFilePermission.values();
        for (int bit = 0; bit < all.length; bit++) {
            // The values are in the order in which a mode is written, from the owner's right to read on.
            if ((mode >> (all.length - 1 - bit) & 1) != 0) {
                permissions.add(all[bit]);
            }
        }
        try {
            Files.createFile(file.toPath(), PosixFilePermissions.asFileAttribute(permissions));
        } catch (FileAlreadyExistsException e) {
            throw new AlreadyExistsException(e);
        }
        return new FileOutputStream(file);
    }

    private static void check(File file, String owner) throws IOException {
        String actual = Files.getOwner(file.toPath(), LinkOption.NOFOLLOW_LINKS).getName();
        if (owner != null && !owner.equals(actual) && !System.getProperty("user.name").equals(actual)) {
            throw new IOException("the owner of " + file + " is " + actual + " and not " + owner);
        }
    }

    /** The file is there already. */
    public static class AlreadyExistsException extends IOException {
        private static final long serialVersionUID = 1L;

        /** What has been found. */
        public AlreadyExistsException(Throwable cause) {
            super(cause);
        }
    }
}
