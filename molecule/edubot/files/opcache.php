<?php
// Tells sre.runbooks.phpfpm_check of the opcode cache of the pool. Lies outside of every web root.
if (isset($_SERVER['HTTP_HOST'])) {
    http_response_code(404);
    exit;
}
echo json_encode(opcache_get_status(false));
