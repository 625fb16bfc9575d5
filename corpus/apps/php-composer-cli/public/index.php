<?php

declare(strict_types=1);

require __DIR__ . '/../vendor/autoload.php';

use Harbour\Tides\Table;

header('Content-Type: text/plain');
echo (new Table(__DIR__ . '/../data/tides.csv'))->page();
