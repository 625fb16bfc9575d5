<?php

require __DIR__ . '/../vendor/autoload.php';

use Harbour\Ferry\Timetable;

header('Content-Type: text/plain; charset=utf-8');
echo (new Timetable(__DIR__ . '/../departures.csv'))->next((int) date('G')), "\n";
