#include <stdio.h>

#include "entries.h"

int main(void) {
    sqlite3 *ledger;
    if (sqlite3_open(":memory:", &ledger) != SQLITE_OK || entries_fill(ledger) != SQLITE_OK) {
        fprintf(stderr, "no ledger\n");
        return 1;
    }
    printf("the ledger holds %d\n", entries_sum(ledger));
    return sqlite3_close(ledger);
}
