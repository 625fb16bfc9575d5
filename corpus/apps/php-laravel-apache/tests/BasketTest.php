<?php

namespace Tests;

use PHPUnit\Framework\TestCase;

class BasketTest extends TestCase
{
}
