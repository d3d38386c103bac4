package dev.heddle.agent;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;

/** A directory of one deployment, whose files only the user of this process can read. */
final class PrivateDirectory {
    private static final FileAttribute<?> OWNERS_DIRECTORY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
    private static final FileAttribute<?> OWNERS_FILE =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

    final Path path;

    private PrivateDirectory(Path path) {
        this.path = path;
    }

    /** Makes a new directory, where the JVM has its temporary files. */
    static PrivateDirectory make() throws IOException {
        return new PrivateDirectory(
                Files.createTempDirectory(
                        Paths.get(System.getProperty("java.io.tmpdir")).toAbsolutePath(), "heddle-agent-", OWNERS_DIRECTORY));
    }

    /** Makes a directory inside this one. */
    Path directory(String name) throws IOException {
        return Files.createDirectory(path.resolve(name), OWNERS_DIRECTORY);
    }

    /** Writes a file that is not there yet, below this directory. */
    static Path write(Path file, String text) throws IOException {
        return write(file, text.getBytes(StandardCharsets.UTF_8));
    }

    /** Writes a file that is not there yet, below this directory. */
    static Path write(Path file, byte[] content) throws IOException {
        Files.createFile(file, OWNERS_FILE);
        return Files.write(file, content, StandardOpenOption.TRUNCATE_EXISTING);
    }

    /** Removes the directory with all that is in it. A second call only waits for the first one. */
    synchronized void delete() throws IOException {
        try {
            Files.walkFileTree(
                    path,
                    new SimpleFileVisitor<Path>() {
                        @Override
                        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                            Files.deleteIfExists(file);
                            return FileVisitResult.CONTINUE;
                        }

                        @Override
                        public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
                            if (e instanceof NoSuchFileException) {
                                return FileVisitResult.CONTINUE;
                            }
                            throw e;
                        }

                        @Override
                        public FileVisitResult postVisitDirectory(Path directory, IOException e) throws IOException {
                            Files.deleteIfExists(directory);
                            return FileVisitResult.CONTINUE;
                        }
                    });
        } catch (NoSuchFileException e) {
            // Somebody else was quicker.
        }
    }
}
