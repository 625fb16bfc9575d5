#include "entries.h"

int entries_fill(sqlite3 *ledger) {
    return sqlite3_exec(ledger, "CREATE TABLE entry (amount INTEGER); INSERT INTO entry VALUES (12), (30)", 0, 0, 0);
}

int entries_sum(sqlite3 *ledger) {
    sqlite3_stmt *query;
    int sum = -1;
    if (sqlite3_prepare_v2(ledger, "SELECT sum(amount) FROM entry", -1, &query, 0) != SQLITE_OK) {
        return sum;
    }
    if (sqlite3_step(query) == SQLITE_ROW) {
        sum = sqlite3_column_int(query, 0);
    }
    sqlite3_finalize(query);
    return sum;
}
