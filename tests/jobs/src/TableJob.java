import static org.apache.flink.table.api.Expressions.$;
import static org.apache.flink.table.api.Expressions.row;

import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** Counts a few rows with the Table API and prints the result. */
public final class TableJob {
    public static void main(String[] args) {
        TableEnvironment table =
                TableEnvironment.create(EnvironmentSettings.newInstance().inBatchMode().build());
        table.fromValues(row("warp", 1), row("weft", 2), row("warp", 3), row("reed", 4))
                .as("word", "amount")
                .groupBy($("word"))
                .select($("word"), $("amount").sum().as("total"))
                .orderBy($("word"))
                .execute()
                .print();
    }
}
