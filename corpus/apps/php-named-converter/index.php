<?php

require __DIR__ . '/convert.php';

header('Content-Type: image/png');
readfile(thumbnail('pictures/' . basename($_GET['name'] ?? 'oak.jpg')));
