package dev.heddle.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class JsonTest {
    @Test
    void whatIsWrittenIsReadBack() throws IOException {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("text", "quotes \" \\ / lines \n\r\t controls \u0000\u001f\u0085\u2028 and \u00e9\ud83d\ude00");
        object.put("none", null);
        object.put("numbers", Arrays.asList(0L, -12L, 1.5, 1e300));
        object.put("flags", Arrays.asList(true, false));
        object.put("empty", Arrays.asList(Collections.emptyList(), Collections.emptyMap()));
        String text = Json.write(object);
        assertFalse(text.contains("\n"));
        assertEquals(object, Json.parseObject(text));
    }

    @Test
    void othersWriteOtherwise() throws IOException {
        Map<String, Object> read = Json.parseObject(" { \"a\" : [ 1 , \"\\u00e9\\/\\b\\f\" ] , \"b\":{} } \n");
        assertEquals(Arrays.asList(1L, "\u00e9/\b\f"), read.get("a"));
    }

    @Test
    void badTextIsRefusedAndNotRepeated() {
        StringBuilder deep = new StringBuilder("{\"a\":");
        for (int i = 0; i < 100_000; i++) {
            deep.append('[');
        }
        String[] bad = {
            "", "1", "[]", "null", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1} x", "{a:1}", "{\"a\":hush}",
            "{\"a\":\"\\x\"}", "{\"a\":\"\\u00g0\"}", "{\"a\":\"hush", "{\"a\":1-}", "{\"a\":99999999999999999999}", deep.toString()
        };
        for (String text : bad) {
            String message = assertThrows(IOException.class, () -> Json.parseObject(text), text).getMessage();
            assertFalse(message.contains("hush"));
        }
    }

    @Test
    void answers() throws IOException {
        Answer done = Answer.parse("{\"application\":\"application_1_2\",\"webInterface\":\"http://a:1\",\"later\":1}");
        assertFalse(done.failed());
        assertFalse(done.unsupported());
        assertEquals("application_1_2", done.application());

        Answer failed =
                Answer.parse(
                        "{\"error\":{\"message\":\"m: c\",\"what\":\"m\",\"cause\":\"c\",\"causes\":[\"d\"],\"hints\":[\"h\",\"i\"],"
                                + "\"application\":\"application_1_3\",\"retryHelps\":true,\"usage\":false,"
                                + "\"finding\":{\"text\":\"f\"}}}");
        assertTrue(failed.failed());
        assertEquals("application_1_3", failed.application());
        assertEquals(
                "m: c\ncaused by: d\ncause: f\nhint: h\nhint: i\nhint: this can be temporary: trying again may help\n"
                        + "the application is application_1_3",
                failed.text());
    }

    @Test
    void onlyWhatWasNotSubmittedIsUnsupported() throws IOException {
        String error = "{\"error\":{\"message\":\"m\",\"unsupported\":%s,\"application\":%s}}";
        assertTrue(Answer.parse(String.format(error, "true", "null")).unsupported());
        assertFalse(Answer.parse(String.format(error, "false", "null")).unsupported());
        assertFalse(Answer.parse(String.format(error, "true", "\"application_1_3\"")).unsupported());
        Answer bare = Answer.parse("{\"error\":{}}");
        assertTrue(bare.failed());
        assertFalse(bare.unsupported());
        assertNull(bare.application());
        assertFalse(bare.text().isEmpty());
    }
}
