<?php

require __DIR__ . '/../vendor/autoload.php';

echo (new Bakery\Orders())->today();
