<?php

// Which program makes the small picture is a setting of the machine.
function thumbnail(string $path): string
{
    $target = tempnam(sys_get_temp_dir(), 'thumb');
    $program = getenv('CONVERTER');
    exec($program . ' ' . escapeshellarg($path) . ' ' . escapeshellarg($target));
    return $target;
}
