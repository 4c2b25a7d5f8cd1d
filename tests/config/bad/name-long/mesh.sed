s/name: sin-a/name: a-name-of-more-than-31-characters/
