<?php

namespace Bakery;

final class Orders
{
    public function today(): string
    {
        return "Seven loaves of rye\n";
    }
}
