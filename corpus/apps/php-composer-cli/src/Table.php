<?php

declare(strict_types=1);

namespace Harbour\Tides;

final class Table
{
    public function __construct(private string $path)
    {
    }

    public function page(): string
    {
        $lines = array_map('str_getcsv', file($this->path, FILE_IGNORE_NEW_LINES));
        $rows = array_map(fn (array $row): string => "{$row[0]}  {$row[1]} m", $lines);
        return "High water in the harbour\n" . implode("\n", $rows) . "\n";
    }
}
