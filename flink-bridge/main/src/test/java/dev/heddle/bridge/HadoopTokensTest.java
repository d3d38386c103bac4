package dev.heddle.bridge;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.UndeclaredThrowableException;
import java.util.Arrays;
import java.util.Collections;

/** Without Hadoop, which these tests do not have. */
class HadoopTokensTest {
    private static HadoopTokens tokens(String... keys) {
        Configuration configuration = new Configuration();
        Arrays.stream(keys).forEach(key -> configuration.setString(key, "x"));
        return new HadoopTokens(configuration, null);
    }

    @Test
    void theyNeedAKeytabAndHadoop() {
        assertFalse(tokens().arePossible());
        assertFalse(tokens("security.kerberos.login.keytab").arePossible());
        assertFalse(tokens("security.kerberos.login.keytab", "security.kerberos.login.principal").arePossible());
    }

    @Test
    void whoAsksAllTheSameHearsWhatIsMissing() throws IOException {
        HadoopTokens tokens = tokens("security.kerberos.login.keytab", "security.kerberos.login.principal");
        ObjectNode answer = Json.parseObject(tokens.answer(Collections.singletonList("hdfs://ns")));
        assertEquals("tokens", answer.get("type").asText());
        assertTrue(answer.get("credentials").isNull() && answer.get("expires").isNull());
        String failure = answer.get("failure").asText();
        assertTrue(failure.contains("org.apache.hadoop.security.UserGroupInformation"), failure);
    }

    @Test
    void failuresAreToldWithoutTheLayersAroundThem() {
        IOException cause = new IOException("GSS initiate failed\n\tat the KDC");
        Throwable error = new InvocationTargetException(new UndeclaredThrowableException(cause));
        assertEquals("java.io.IOException: GSS initiate failed at the KDC", HadoopTokens.describe(error));
        assertEquals("java.lang.IllegalStateException", HadoopTokens.describe(new IllegalStateException()));
        char[] text = new char[5000];
        Arrays.fill(text, 'x');
        assertTrue(HadoopTokens.describe(new IOException(new String(text))).length() < 2100);
    }
}
