s/^    lan:$/   lan:/
