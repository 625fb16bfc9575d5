#ifndef ENTRIES_H
#define ENTRIES_H

#include <sqlite3.h>

int entries_fill(sqlite3 *ledger);
int entries_sum(sqlite3 *ledger);

#endif
