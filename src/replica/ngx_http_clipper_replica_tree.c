
/*
 * The containers of this worker by the identity of their connection.
 */


#include "replica/ngx_http_clipper_replica.h"


static void ngx_http_clipper_replica_tree_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_http_clipper_replica_tree_cmp(
    ngx_http_clipper_identity_t *a, ngx_http_clipper_identity_t *b);


static ngx_rbtree_t       ngx_http_clipper_replica_rbtree;
static ngx_rbtree_node_t  ngx_http_clipper_replica_nobody;


void
ngx_http_clipper_replica_tree_init(void)
{
    ngx_rbtree_init(&ngx_http_clipper_replica_rbtree,
                    &ngx_http_clipper_replica_nobody,
                    ngx_http_clipper_replica_tree_insert);
}


void
ngx_http_clipper_replica_tree_add(ngx_http_clipper_replica_t *replica)
{
    replica->node.key = ngx_crc32_short(replica->id.data, replica->id.len);
    ngx_rbtree_insert(&ngx_http_clipper_replica_rbtree, &replica->node);
}


void
ngx_http_clipper_replica_tree_remove(ngx_http_clipper_replica_t *replica)
{
    ngx_rbtree_delete(&ngx_http_clipper_replica_rbtree, &replica->node);
}


ngx_http_clipper_replica_t *
ngx_http_clipper_replica_tree_find(ngx_http_clipper_identity_t *id)
{
    ngx_int_t                    rc;
    ngx_rbtree_key_t             key;
    ngx_rbtree_node_t           *node;
    ngx_http_clipper_replica_t  *replica;

    key = ngx_crc32_short(id->data, id->len);
    node = ngx_http_clipper_replica_rbtree.root;

    while (node != &ngx_http_clipper_replica_nobody) {

        if (key != node->key) {
            node = key < node->key ? node->left : node->right;
            continue;
        }

        replica = ngx_rbtree_data(node, ngx_http_clipper_replica_t, node);
        rc = ngx_http_clipper_replica_tree_cmp(id, &replica->id);

        if (rc == 0) {
            return replica;
        }

        node = rc < 0 ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_http_clipper_replica_tree_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t           **p;
    ngx_http_clipper_replica_t   *a, *b;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = node->key < temp->key ? &temp->left : &temp->right;

        } else {
            a = ngx_rbtree_data(node, ngx_http_clipper_replica_t, node);
            b = ngx_rbtree_data(temp, ngx_http_clipper_replica_t, node);
            p = ngx_http_clipper_replica_tree_cmp(&a->id, &b->id) < 0
                ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_int_t
ngx_http_clipper_replica_tree_cmp(ngx_http_clipper_identity_t *a,
    ngx_http_clipper_identity_t *b)
{
    return ngx_memn2cmp(a->data, b->data, a->len, b->len);
}
