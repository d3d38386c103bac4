package dev.heddle.client;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystemFactory;

import java.io.IOException;
import java.net.URI;

/**
 * Makes file systems for {@code hdfs://}: {@link Hdfs} or, if Flink's lib directory has Hadoop's classes,
 * Hadoop's.
 */
public final class HdfsFactory implements FileSystemFactory {
    private final FileSystemFactory ofHadoop = ofHadoop();

    private static FileSystemFactory ofHadoop() {
        try {
            ClassLoader loader = HdfsFactory.class.getClassLoader();
            Class.forName("org.apache.hadoop.hdfs.DistributedFileSystem", false, loader);
            return Class.forName("org.apache.flink.runtime.fs.hdfs.HadoopFsFactory", true, loader)
                    .asSubclass(FileSystemFactory.class)
                    .getConstructor()
                    .newInstance();
        } catch (ReflectiveOperationException | LinkageError e) {
            return null;
        }
    }

    @Override
    public String getScheme() {
        return "hdfs";
    }

    @Override
    public void configure(Configuration configuration) {
        if (ofHadoop != null) {
            ofHadoop.configure(configuration);
        }
    }

    @Override
    public FileSystem create(URI uri) throws IOException {
        return ofHadoop != null ? ofHadoop.create(uri) : new Hdfs(Helper.ofSystem(), uri);
    }
}
