<?php

echo "The register of ships\n";
