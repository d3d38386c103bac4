import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.OutputFileConfig;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.util.Collector;

import java.util.Arrays;
import java.util.Locale;

/** Counts words in batch mode: {@code [--input PATH] [--output PATH]}. */
public final class WordCount {
    private static final String[] TEXT = {
        "To be, or not to be,--that is the question:--",
        "Whether 'tis nobler in the mind to suffer",
        "The slings and arrows of outrageous fortune",
        "Or to take arms against a sea of troubles,",
        "And by opposing end them?--To die,--to sleep,--",
    };

    public static void main(String[] args) throws Exception {
        Options options = new Options(args);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.setRuntimeMode(RuntimeExecutionMode.BATCH);

        String input = options.get("input");
        DataStream<String> text;
        if (input == null) {
            text = env.fromCollection(Arrays.asList(TEXT));
        } else {
            FileSource<String> source =
                    FileSource.forRecordStreamFormat(new TextLines(), new Path(input)).build();
            text = env.fromSource(source, WatermarkStrategy.noWatermarks(), "text", Types.STRING);
        }

        DataStream<String> counts =
                countWords(text).map(count -> count.f0 + "," + count.f1).returns(Types.STRING);

        String output = options.get("output");
        if (output == null) {
            counts.print();
        } else {
            counts.sinkTo(
                            FileSink.forRowFormat(new Path(output), new SimpleStringEncoder<String>("UTF-8"))
                                    .withBucketAssigner(new BasePathBucketAssigner<>())
                                    .withOutputFileConfig(new OutputFileConfig("counts", ".csv"))
                                    .build())
                    .setParallelism(1);
        }
        env.execute("WordCount");
    }

    /** Running counts per word; in batch mode only the last of each. */
    static DataStream<Tuple2<String, Long>> countWords(DataStream<String> text) {
        return text.flatMap(WordCount::split)
                .returns(Types.TUPLE(Types.STRING, Types.LONG))
                .keyBy(word -> word.f0, Types.STRING)
                .sum(1);
    }

    private static void split(String line, Collector<Tuple2<String, Long>> words) {
        for (String word : line.toLowerCase(Locale.ROOT).split("[^\\p{L}\\p{N}]+")) {
            if (!word.isEmpty()) {
                words.collect(Tuple2.of(word, 1L));
            }
        }
    }
}
