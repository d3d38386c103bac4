package dev.heddle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

class FilesTest {
    private static Map<String, String> settings(String... pairs) {
        Map<String, String> settings = new TreeMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            settings.put(pairs[i], pairs[i + 1]);
        }
        return settings;
    }

    @Test
    void theOldFileHoldsWhatItCan() {
        Map<String, String> odd =
                settings("hash", "a#b", "line", "a\nb", "return", "a\rb", "empty", "", "blank", " a", "k: l", "x", "end:", "x");
        Map<String, String> all = new TreeMap<>(odd);
        all.put("plain", "x: y 'z' \"q\"");
        all.put("url", "hdfs://a:1/b;c");
        FlinkFile file = FlinkFile.of(all, FlinkFile.LEGACY, false);
        assertEquals("flink-conf.yaml", file.name);
        assertEquals("plain: x: y 'z' \"q\"\nurl: hdfs://a:1/b;c\n", file.text);
        assertEquals(odd, file.notCarried);
    }

    @Test
    void theNewFileHoldsEverything() {
        Map<String, String> all =
                settings("a.b", "x # y: z\n- [1, 2]", "c", "", "d: e", "'\"\\", "list", "[a, b]", "n", "0x10", "u", "\u00e9\u0085\ud83d\ude00");
        FlinkFile file = FlinkFile.of(all, FlinkFile.STANDARD, false);
        assertEquals("config.yaml", file.name);
        assertEquals(
                "\"a.b\": \"x # y: z\\n- [1, 2]\"\n\"c\": \"\"\n\"d: e\": \"'\\\"\\\\\"\n\"list\": \"[a, b]\"\n"
                        + "\"n\": \"0x10\"\n\"u\": \"\u00e9\\u0085\ud83d\ude00\"\n",
                file.text);
        assertTrue(file.notCarried.isEmpty());
    }

    @Test
    void aReleaseThatReadsBothGetsTheOneThatHoldsAll() {
        assertEquals(FlinkFile.LEGACY, FlinkFile.of(settings("a", "b"), FlinkFile.LEGACY, true).name);
        FlinkFile file = FlinkFile.of(settings("a", "b#c"), FlinkFile.LEGACY, true);
        assertEquals(FlinkFile.STANDARD, file.name);
        assertTrue(file.notCarried.isEmpty());
    }

    @Test
    void whatTheRequestSaysIsNotInTheFile() {
        Map<String, String> all =
                settings("$internal.application.program-args", "--password;x", "$internal.pipeline.job-id", "ab", "yarn.ship-files", "/x");
        assertEquals("\"$internal.pipeline.job-id\": \"ab\"\n", FlinkFile.of(all, FlinkFile.STANDARD, false).text);
    }

    @Test
    void hadoopsFilesAreReadBack() throws Exception {
        Map<String, String> all =
                settings("fs.defaultFS", "hdfs://a", "dfs.x", "<&>\"'\n\t\r", "yarn.y", "\u00e9 ]]>", "hadoop.z", "");
        Map<String, String> read = new HashMap<>();
        for (Map.Entry<String, String> file : HadoopFiles.of(all).entrySet()) {
            NodeList properties =
                    DocumentBuilderFactory.newInstance()
                            .newDocumentBuilder()
                            .parse(new ByteArrayInputStream(file.getValue().getBytes(StandardCharsets.UTF_8)))
                            .getElementsByTagName("property");
            for (int i = 0; i < properties.getLength(); i++) {
                Element property = (Element) properties.item(i);
                String key = property.getElementsByTagName("name").item(0).getTextContent();
                read.put(key, property.getElementsByTagName("value").item(0).getTextContent());
                assertEquals(
                        key.startsWith("yarn.") ? "yarn-site.xml" : key.startsWith("dfs.") ? "hdfs-site.xml" : "core-site.xml",
                        file.getKey());
            }
        }
        assertEquals(all, read);
        assertTrue(HadoopFiles.carried("a\n\u00e9\ud83d\ude00"));
        assertFalse(HadoopFiles.carried("a\u0001"));
        assertEquals(3, HadoopFiles.of(Collections.emptyMap()).size());
    }

    @Test
    void privateFilesAreTheOwners() throws IOException {
        PrivateDirectory directory = PrivateDirectory.make();
        Path inner = directory.directory("inner");
        Path file = PrivateDirectory.write(inner.resolve("secret"), "hush");
        assertEquals("rwx------", mode(directory.path));
        assertEquals("rwx------", mode(inner));
        assertEquals("rw-------", mode(file));
        assertEquals("hush", new String(Files.readAllBytes(file), StandardCharsets.UTF_8));
        assertThrows(FileAlreadyExistsException.class, () -> PrivateDirectory.write(file, "again"));
        directory.delete();
        assertFalse(Files.exists(directory.path));
        directory.delete();
    }

    @Test
    void theDistributionIsWhereItsJarIs(@TempDir Path temporary) throws IOException {
        File one = temporary.resolve("flink one").toFile();
        File jar = TestFiles.empty(new File(one, "lib/flink-dist-1.20.1.jar"));
        Map<String, String> nothing = Collections.emptyMap();
        List<String> none = Collections.emptyList();
        assertEquals(one, FlinkHome.find(jar.getPath(), null, null, none, nothing).home);
        assertEquals(new File(one, "lib"), FlinkHome.find("file:" + jar, null, null, none, nothing).lib);
        assertEquals(one, FlinkHome.find("hdfs://a/flink-dist-1.20.1.jar", jar, null, none, nothing).home);

        // Only another directory of the same release is one.
        String remote = "hdfs://a/flink-dist-1.20.1.jar";
        Map<String, String> home = Collections.singletonMap("FLINK_HOME", one.getPath());
        assertEquals(one, FlinkHome.find(remote, null, null, none, home).home);
        assertEquals(one, FlinkHome.find(remote, null, one + "/conf", none, nothing).home);
        assertEquals(one, FlinkHome.find(null, null, null, none, home).home);
        assertNull(FlinkHome.find("hdfs://a/flink-dist-1.19.0.jar", null, null, none, home).home);
        assertNull(FlinkHome.find(null, null, null, none, nothing).lib);

        File lib = temporary.resolve("other").toFile();
        assertTrue(lib.mkdir());
        FlinkHome both = FlinkHome.find(jar.getPath(), null, null, none, Collections.singletonMap("FLINK_LIB_DIR", lib.getPath()));
        assertEquals(one, both.home);
        assertEquals(lib, both.lib);

        // Whoever ships libraries needs no others, unless the variable names some, as with Flink's client.
        List<String> brought = Collections.singletonList("/tool/lib/");
        assertNull(FlinkHome.find(jar.getPath(), jar, null, brought, home).home);
        assertNull(FlinkHome.find(jar.getPath(), jar, null, brought, home).lib);
        assertEquals(lib, FlinkHome.find(null, null, null, brought, Collections.singletonMap("FLINK_LIB_DIR", lib.getPath())).lib);
    }

    @Test
    void pathsAndUrls() {
        assertEquals(new File("/a b"), FlinkHome.local("/a b"));
        assertEquals(new File("/a%20b"), FlinkHome.local("file:/a%20b"));
        assertEquals(new File("/a b"), FlinkHome.local("file:///a b"));
        assertEquals(new File("/a b"), FlinkHome.localOfUrl("file:/a%20b"));
        assertEquals(new File("/a b"), FlinkHome.localOfUrl("file:///a b"));
        assertEquals(new File("a:b").getAbsoluteFile(), FlinkHome.local("./a:b").getAbsoluteFile().toPath().normalize().toFile());
        assertNull(FlinkHome.local("hdfs://a/b"));
        assertNull(FlinkHome.localOfUrl("s3a://a/b"));
        assertEquals("hdfs://a/b", Descriptor.plain("hdfs://a/b"));
        assertEquals(new File("x").getAbsolutePath(), Descriptor.plain(new File("x")));
    }

    private static String mode(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }
}
