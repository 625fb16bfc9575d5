#!/bin/sh
exec ./tool
